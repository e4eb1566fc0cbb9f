"""What ``brain-tumor data cache`` shows."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table

from brain_tumor.data.entry import Damage, Entry
from brain_tumor.data.eviction import GB, Stored
from brain_tumor.data.progress import progress


def place(folder: str | None) -> Path:
    """The cache's folder: as given, else as conf/paths/default.yaml has it."""
    return Path(folder or os.environ.get("BRAIN_TUMOR_CACHE") or "~/.cache/brain-tumor").expanduser()


def damages(entries: Sequence[Stored]) -> dict[Path, str]:
    """Folder of each damaged entry → what is wrong with it; reads everything."""
    found = {}
    for each in progress(entries, "Checking the cache"):
        try:
            Entry.open(each.folder)
        except (Damage, FileNotFoundError) as damage:
            found[each.folder] = str(damage)
    return found


def table(entries: Sequence[Stored], damaged: Mapping[Path, str] | None) -> Table:
    """One line an entry, the one used last first.

    Args:
        entries: All there are.
        damaged: What is wrong with which; None if nobody looked.
    """
    shown = Table(box=None, pad_edge=False)
    for heading in ("entry", "pictures", "size", "GB", "last used", *(["state"] if damaged is not None else [])):
        shown.add_column(heading, justify="right" if heading in ("pictures", "size", "GB") else "left")
    for each in entries:
        state = [] if damaged is None else [damaged.get(each.folder, "whole")]
        used = datetime.fromtimestamp(each.used).astimezone().strftime("%Y-%m-%d %H:%M")
        shown.add_row(each.folder.name, *_content(each.folder), f"{each.bytes / GB:.2f}", used, *state)
    return shown


def _content(folder: Path) -> tuple[str, str]:
    """Number and side of the pictures, where the entry is whole as far as can be told without reading them."""
    try:
        images = Entry.open(folder, contents=False).images
    except (Damage, FileNotFoundError):
        return "?", "?"
    return str(len(images)), f"{images.shape[1]} px"
