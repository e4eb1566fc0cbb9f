"""``change_record.md``: what would change if a candidate took the champion's place, and whether it may."""

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from brain_tumor import CAUTION
from brain_tumor.evaluation.comparison.wording import show_difference, show_estimate, show_interval, show_p


def change_record(
    document: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], facts: Mapping[str, Mapping[str, str]]
) -> str:
    """The record as Markdown.

    Args:
        document: Of `brain_tumor.evaluation.comparison.ranking.comparison_document`.
        changes: Of `brain_tumor.evaluation.comparison.gates.changes`.
        facts: Run → name → value: commit, data, seed and so on, as far as they are known.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation.comparison", "."),
        autoescape=False,  # noqa: S701, Markdown
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("change_record.md.j2").render(
        caution=CAUTION,
        document=document,
        changes=changes,
        runs={candidate["name"]: candidate["runs"] for candidate in document["candidates"]},
        facts=facts,
        show_difference=show_difference,
        show_estimate=show_estimate,
        show_interval=show_interval,
        show_p=show_p,
    )
