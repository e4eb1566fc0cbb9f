"""What a paper with these results should cite: this software, and the data set, as BibTeX."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brain_tumor import __version__
from brain_tumor.data.public.registry import SETS
from brain_tumor.evaluation.comparison.latex import latex_escaped


@dataclass(frozen=True)
class Citation:
    """One entry of a bibliography."""

    key: str
    fields: Mapping[str, str]
    """Field of BibTeX → text, not escaped."""

    def bibtex(self) -> str:
        """Write the entry as ``@misc``, which every style knows; double braces keep names and capitals as they are."""
        lines = [f"  {name} = {{{{{latex_escaped(text)}}}}}," for name, text in self.fields.items()]
        return "\n".join([f"@misc{{{self.key},", *lines, "}"])


SOFTWARE = Citation(
    "brain_tumor",
    {
        "author": "brain-tumor contributors",
        "title": "brain-tumor: honest brain tumour detection and classification on MRI",
        "howpublished": "Computer software",
        "note": f"Version {__version__}",
    },
)
"""This software, in the present version; ``.github/CITATION.cff`` says the same."""


def data_citation(facts: Mapping[str, Any]) -> Citation | None:
    """Return what to cite for the data of a run, or None if it is not known.

    Args:
        facts: ``data`` of ``run.json``.
    """
    name, published = str(facts.get("name", "")), SETS.get(str(facts.get("name", "")))
    cited = facts.get("citation") or (published.citation if published else None)
    if cited is None:
        return None
    title = {"title": published.title} if published else {}
    return Citation(name, {**title, "note": str(cited)})
