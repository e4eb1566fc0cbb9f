"""One self-contained page, readable anywhere: on a phone, in the dark, on paper, without a network."""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from brain_tumor import CAUTION
from brain_tumor.run_dir.atomic import published_file


@dataclass(frozen=True)
class Table:
    """Text in rows; a cell ``0.95 [0.93, 0.97]`` shows its interval smaller."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    dim: frozenset[int] = frozenset()
    """Rows that stand back: floors and chance levels."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    text: str = ""
    """What a reader must know to read the tables."""
    tables: Sequence[Table] = ()
    figures: dict[str, Path] = field(default_factory=dict)
    """Caption → PNG file, which becomes part of the page."""


@dataclass(frozen=True)
class Tile:
    """A figure that is seen first."""

    name: str
    value: str
    below: str


def write_page(
    path: Path,
    *,
    title: str,
    tiles: Sequence[Tile],
    sections: Sequence[Section],
    facts: dict[str, dict[str, str]],
    notes: Sequence[str],
    command: str,
) -> None:
    """Write the page in one step.

    Args:
        path: Of the page.
        title: Its heading.
        tiles: The figures that are seen first.
        sections: What follows.
        facts: Heading → name → value: data, model, hardware and so on.
        notes: What a reader must know before the figures.
        command: That made it all.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["embedded"] = lambda file: base64.b64encode(file.read_bytes()).decode()
    environment.filters["wide"] = _wide
    page = environment.get_template("report/report.html.j2").render(
        title=title, caution=CAUTION, tiles=tiles, sections=sections, facts=facts, notes=notes, command=command
    )
    with published_file(path) as draft:
        draft.write_text(page, encoding="utf-8")


def _wide(file: Path) -> bool:
    """Is a PNG more than half as wide again as it is high? Then it gets the page's whole width."""
    width, height = struct.unpack(">II", file.read_bytes()[16:24])
    return bool(width > 1.5 * height)
