"""``report.html``: results, figures and facts of a run, on one page that needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brain_tumor.data.listing import describe_counts
from brain_tumor.evaluation.report.figures import FigureFiles
from brain_tumor.evaluation.report.format import format_fact
from brain_tumor.evaluation.report.page import write_page
from brain_tumor.evaluation.report.sections import sections, tiles


def write_run_page(
    path: Path,
    results: Mapping[str, Any],
    figures: FigureFiles,
    facts: Mapping[str, Any],
    *,
    title: str,
    notes: Sequence[str],
) -> None:
    """Write the page in one step.

    Args:
        path: File to write.
        results: Content of ``results.json``.
        figures: Section → caption → PNG file, which is embedded.
        facts: Content of ``run.json``.
        title: Heading of the page.
        notes: Warnings that a reader needs before the results.
    """
    write_page(
        path,
        "run.html.j2",
        title=title,
        tiles=tiles(results),
        sections=sections(results, figures),
        facts=_facts(facts),
        notes=notes,
        command=facts["command"],
    )


def _facts(facts: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Sort the facts of a run: heading → name → value."""
    tuned = facts.get("tuning", {})
    data = dict(facts.get("data", {}))
    if "files" in data:
        data["files"] = describe_counts(data["files"])
    shown = {
        "Data": data,
        "Model": facts.get("model", {}),
        "Training": facts.get("training", {}),
        "Found by the tuner": {
            name: f"{format_fact(found['value'])} ({found['reason']})" for name, found in tuned.items()
        },
        "Seconds": facts["seconds"],
        "Software": {**facts["versions"], "git": facts["git_sha"] or "unknown", "seed": facts["seed"]},
        "Hardware": facts["hardware"],
    }
    return {
        heading: {name: format_fact(value) for name, value in entries.items()}
        for heading, entries in shown.items()
        if entries
    }
