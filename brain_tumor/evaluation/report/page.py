"""The Jinja environment of all pages, checklists and the model card, and the elements that pages are made of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from brain_tumor import CAUTION
from brain_tumor.evaluation.report import format as formats
from brain_tumor.evaluation.report import names
from brain_tumor.run_dir.atomic import published_file


@dataclass(frozen=True)
class Table:
    """Text in rows; a cell ``0.95 [0.93, 0.97]`` shows its interval smaller."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    dim: frozenset[int] = frozenset()
    """Indices of the rows that are printed softer: baselines and chance levels."""

    @property
    def wide(self) -> bool:
        """Whether the table needs the whole width of a page."""
        return len(self.columns) > _NARROW_TABLE


@dataclass(frozen=True)
class InlineFigure:
    """A figure as markup of a page."""

    markup: str
    """``<svg>`` or ``<img>``, with a description for screen readers."""
    width: int
    """Width at which its text has the size that it was drawn with, CSS pixels."""

    @property
    def wide(self) -> bool:
        """Whether the figure needs the whole width of a page."""
        return self.width > _NARROW_FIGURE


@dataclass(frozen=True)
class SampleImage:
    """A test image with what the model says of it."""

    src: str
    """The image, as ``data:`` URI."""
    overlay: str
    """The same under its heat map, with the outlines of the mask and of what the map marks."""
    label: str
    prediction: str
    probability: str
    name: str = ""
    """Its ``sample_id``."""

    @property
    def right(self) -> bool:
        """Whether the predicted class is the true one."""
        return self.label == self.prediction


@dataclass(frozen=True)
class Section:
    """A heading with text, tables and figures below it."""

    title: str
    text: str = ""
    """Explanation that a reader needs for the tables."""
    tables: Sequence[Table] = ()
    figures: Mapping[str, InlineFigure] = field(default_factory=dict)
    """Caption → figure."""
    samples: Sequence[SampleImage] = ()


@dataclass(frozen=True)
class Tile:
    """A headline number at the top of a page."""

    name: str
    value: str
    interval: str = ""
    reference: str = ""
    """What the number is compared with: the 1-NN baseline."""


_NARROW_TABLE = 4
"""Columns of a table that fits into half a page."""
_NARROW_FIGURE = 800
"""Width of a figure that can still be read in half a page, CSS pixels."""


def render(template: str, **context: Any) -> str:
    """Render a template of this room.

    Args:
        template: File name in ``templates/``; values are escaped in ``*.html.j2`` only.
        **context: Variables of the template; an undefined one is an error.
    """
    return _ENVIRONMENT.get_template(template).render(**context)


def write_page(path: Path, template: str, **context: Any) -> None:
    """Render a template and write it in one step: a reader sees the old file or the whole new one.

    Args:
        path: File to write.
        template: File name in ``templates/``.
        **context: Variables of the template.

    Raises:
        OSError: The folder cannot be written.
    """
    text = render(template, **context)
    with published_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def columns(n: int, *preferred: int) -> int:
    """Choose the number of columns for ``n`` tiles so that none is alone in the last row.

    Args:
        n: Number of tiles.
        preferred: Numbers of columns, best first; the first is used if all leave a tile alone.
    """
    return min(n, next((count for count in preferred if n <= count or n % count != 1), preferred[0])) or 1


def _anchor(title: str) -> str:
    """Make the name of a link target from a heading."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _headings(body: str) -> list[tuple[str, str]]:
    """List the targets and titles of the sections in the markup of a page."""
    return re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', body)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation.report"),
        autoescape=jinja2.select_autoescape(["html.j2"], default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"caution": CAUTION, "columns": columns}
    environment.filters |= {
        "anchor": _anchor,
        "headings": _headings,
        "metric_name": names.metric_name,
        "short_name": names.short_name,
        "in_sentence": names.in_sentence,
        "number": formats.format_number,
        "estimate": formats.format_estimate,
        "mean": formats.format_mean,
        "interval": formats.format_interval,
        "difference": formats.format_difference,
        "signed": formats.format_signed,
        "p_value": formats.format_p,
        "share": formats.format_share,
        "level": formats.format_level,
        "setting": formats.format_setting,
    }
    return environment


_ENVIRONMENT = _environment()
