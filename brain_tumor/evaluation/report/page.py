"""The Jinja environment of all pages, checklists and the model card, and the elements that pages are made of."""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from brain_tumor import CAUTION
from brain_tumor.evaluation.report import format as formats
from brain_tumor.run_dir.atomic import published_file


@dataclass(frozen=True)
class Table:
    """Text in rows; a cell ``0.95 [0.93, 0.97]`` shows its interval smaller."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    dim: frozenset[int] = frozenset()
    """Indices of the rows that are printed softer: baselines and chance levels."""


@dataclass(frozen=True)
class Section:
    """A heading with text, tables and figures below it."""

    title: str
    text: str = ""
    """Explanation that a reader needs for the tables."""
    tables: Sequence[Table] = ()
    figures: dict[str, Path] = field(default_factory=dict)
    """Caption → PNG file, which is embedded into the page."""


@dataclass(frozen=True)
class Tile:
    """A headline number at the top of a page."""

    name: str
    value: str
    note: str


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


def _embedded(file: Path) -> str:
    """Encode a file in base64."""
    return base64.b64encode(file.read_bytes()).decode()


def _wide(file: Path) -> bool:
    """Tell whether a PNG is more than 1.5 times as wide as high, and so gets the full width of the page."""
    width, height = struct.unpack(">II", file.read_bytes()[16:24])
    return bool(width > 1.5 * height)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation.report"),
        autoescape=jinja2.select_autoescape(["html.j2"], default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["caution"] = CAUTION
    environment.filters |= {
        "embedded": _embedded,
        "wide": _wide,
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
