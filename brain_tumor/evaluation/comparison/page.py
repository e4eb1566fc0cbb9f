"""``compare.html``: one self-contained page, readable anywhere without a network."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from brain_tumor import CAUTION
from brain_tumor.data.publish import published_file
from brain_tumor.evaluation.comparison import wording


def write_page(
    path: Path, *, document: dict[str, Any], changes: Sequence[dict[str, Any]], forest: Path, command: str
) -> None:
    """Write the page in one step.

    Args:
        path: Of the page.
        document: Of `brain_tumor.evaluation.comparison.ranking.comparison_document`.
        changes: Of `brain_tumor.evaluation.comparison.gates.changes`; empty without a champion.
        forest: PNG file, which becomes part of the page.
        command: That made the comparison.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    count = len(document["candidates"])
    page = environment.get_template("comparison/page.html.j2").render(
        title=f"{count} candidates compared" if count > 1 else document["candidates"][0]["name"],
        caution=CAUTION,
        document=document,
        changes=changes,
        forest=base64.b64encode(forest.read_bytes()).decode(),
        level=f"{100 * document['level']:g} %",
        command=command,
        show=wording,
    )
    with published_file(path) as draft:
        draft.write_text(page, encoding="utf-8")
