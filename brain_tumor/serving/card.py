"""The part of the model card that export writes."""

from brain_tumor.evaluation.report.page import render
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle import CARD, Bundle

_HEADING = "## Exports"
"""Start of the section, which is the last one of the card."""


def write_exports_to_card(bundle: Bundle) -> None:
    """Write what the exports of a bundle change and gain into its model card, in place of an earlier list."""
    path = bundle.folder / CARD
    if not path.is_file():
        return
    card = path.read_text(encoding="utf-8").split(_HEADING)[0].rstrip()
    section = render("exports.md.j2", heading=_HEADING, exports=bundle.exports)
    with published_file(path) as draft:
        draft.write_text(f"{card}\n\n{section}", encoding="utf-8")
