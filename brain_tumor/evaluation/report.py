"""``report.html``: one self-contained page, readable anywhere without a network."""

import base64
from pathlib import Path
from typing import Any

import jinja2

from brain_tumor import CAUTION
from brain_tumor.data.publish import published_file
from brain_tumor.evaluation.summary import DETECTION, HEADLINES, show

PER_CLASS = ("f1", "sensitivity", "specificity", "ppv", "npv", "auroc")


def write_report(
    path: Path,
    *,
    title: str,
    results: dict[str, Any],
    figures: dict[str, Path],
    facts: dict[str, dict[str, str]],
    notes: list[str],
    command: str,
) -> None:
    """Write the page in one step.

    Args:
        path: Of the page.
        title: Its heading.
        results: The content of ``results.json``.
        figures: Caption → PNG file, which becomes part of the page.
        facts: Heading → name → value: data, model, hardware and so on.
        notes: What a reader must know before the figures.
        command: That made the run.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        title=title,
        caution=CAUTION,
        results=results,
        show=show,
        headlines=[name for name in (*HEADLINES, *DETECTION) if name in results["test"]],
        per_class=PER_CLASS,
        classes=results["n"]["test"]["per_class"],
        figures={caption: base64.b64encode(file.read_bytes()).decode() for caption, file in figures.items()},
        facts=facts,
        notes=notes,
        command=command,
    )
    with published_file(path) as draft:
        draft.write_text(page, encoding="utf-8")
