"""What ``brain-tumor data`` prints."""

import textwrap
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from brain_tumor.data.sets.published import Counts, PublicSet

WIDTH = 120
"""Columns of text where the output is no terminal."""


def console() -> Console:
    """Where results go; not cut to 80 columns in a pipe."""
    screen = Console(highlight=False, emoji=False, markup=False)
    return screen if screen.is_terminal else Console(highlight=False, emoji=False, markup=False, width=WIDTH)


def overview(sets: Iterable[PublicSet]) -> Table:
    """All sets, a line or two each."""
    table = Table("name", "title", "images", "classes", "licence", "fetched from", box=None, pad_edge=False)
    for published in sets:
        table.add_row(
            published.name,
            published.title,
            f"{published.releases[0].total:,}",
            ", ".join(published.classes),
            published.licence,
            published.source.partition(":")[0],
        )
    return table


def details(published: PublicSet) -> str:
    """Everything that is known of a set, as text."""
    lines = [
        f"{published.name}: {published.title}",
        *_item("page", published.page),
        *_item("licence", published.licence),
        *_item("cite", published.citation),
        *_item("layout", published.layout),
        *(line for release in published.releases for line in _item("images", _images(release.version, release.counts))),
        *(line for remark in published.remarks for line in _item("know", remark)),
        *_item("fetch", f"brain-tumor data fetch {published.name} DIR"),
        *_item("train", training_command(published, "DIR")),
    ]
    return "\n".join(lines)


def training_command(published: PublicSet, root: object) -> str:
    """What to type next."""
    text = str(root)
    quoted = text if all(sign.isalnum() or sign in "/._-" for sign in text) else f"'\"{text}\"'"
    return f"brain-tumor train data={published.name} data.root={quoted}"


def _images(version: str, counts: Counts) -> str:
    parts = [
        f"{split or 'all'}: " + ", ".join(f"{label} {images:,}" for label, images in classes.items())
        for split, classes in counts.items()
    ]
    return (f"version {version}; " if version else "") + "; ".join(parts)


def _item(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"  {name:<8}",
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )
