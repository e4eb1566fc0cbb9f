"""What became of every file below a folder: it was taken, or left out for a reason that is counted and named."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from brain_tumor.data.readers.reading import format_of, source_file
from brain_tumor.data.samples import SPLITS

HIDDEN = "hidden file"
OUTSIDE = "outside the class folders"
UNREADABLE = "unreadable"
CORRECTED = "left out by data.corrections"


class Listing(NamedTuple):
    """The samples of a data set, and why other files of it are none."""

    samples: pd.DataFrame
    """Samples table."""
    left_out: Mapping[str, str]
    """Path of a file → reason; files that are in neither have the reason that `account` finds."""


def account(
    place: Path | None, listing: Listing, unreadable: Collection[str] = (), corrected: Collection[str] = ()
) -> pd.DataFrame:
    """Account for every file below a folder.

    Args:
        place: Folder, or a single file; None accounts for the files that were listed alone.
        listing: What was listed there.
        unreadable: References of samples that could not be read.
        corrected: References of samples that a table of corrections leaves out.

    Returns:
        Table ``path, reason`` with one row per file, sorted by path; ``reason`` is empty for files that were taken.
    """
    unread = {str(source_file(reference)) for reference in unreadable}
    wrong = {str(source_file(reference)) for reference in corrected}
    taken = {str(source_file(reference)) for reference in listing.samples["path"]}
    masks = {str(source_file(reference)) for reference in listing.samples["mask_path"] if reference}
    files = {str(file) for file in all_files(place)} if place else set()
    files |= taken | set(listing.left_out)
    reasons = {}
    for file in files:
        if file in unread:
            reasons[file] = UNREADABLE
        elif file in wrong:
            reasons[file] = CORRECTED
        elif file in taken:
            reasons[file] = ""
        elif file in masks:
            reasons[file] = "mask of an image"
        else:
            reasons[file] = listing.left_out.get(file) or _reason_by_name(Path(file), place or Path(file))
    return pd.DataFrame(sorted(reasons.items()), columns=["path", "reason"])


def all_files(place: Path) -> Iterator[Path]:
    """Yield every file below a folder, at any depth, hidden ones and broken links too; a linked folder is read once."""
    if not place.is_dir():
        yield place
        return
    visited: set[Path] = set()
    for parent, children, names in os.walk(place, followlinks=True):
        visited.add(Path(parent).resolve())
        children[:] = sorted(child for child in children if Path(parent, child).resolve() not in visited)
        yield from (Path(parent, name) for name in sorted(names))


def file_counts(accounts: pd.DataFrame) -> dict[str, Any]:
    """Count the files of an account: ``files``, ``taken`` and ``left_out`` (reason → number)."""
    left_out = Counter(reason for reason in accounts["reason"] if reason)
    return {
        "files": len(accounts),
        "taken": len(accounts) - sum(left_out.values()),
        "left_out": dict(sorted(left_out.items(), key=lambda item: (-item[1], item[0]))),
    }


def describe_counts(counts: Mapping[str, Any]) -> str:
    """Describe the counts in one line: ``240 files: 200 taken, 36 left out as mask, 4 as unknown format (.txt)``."""
    parts = [f"{number} as {reason}" for reason, number in counts["left_out"].items()]
    if parts:
        number, _, reason = parts[0].partition(" ")
        parts[0] = f"{number} left out {reason}"
    return f"{counts['files']} files: " + ", ".join([f"{counts['taken']} taken", *parts])


def describe_split(counts: Mapping[str, int], classes: int) -> str:
    """Describe `ScanDataModule.counts`: ``180 images (150 distinct) of 4 classes: 132 train, 24 val, 24 test``."""
    readable, distinct = counts["readable"], counts["distinct"]
    parts = [f"{counts[split]} {split}" for split in SPLITS]
    parts += [f"{counts['left_out']} in no split"] if counts["left_out"] else []
    unread = counts["found"] - readable
    parts += [f"{unread} more cannot be read"] if unread else []
    images = f"{readable} images" if distinct == readable else f"{readable} images ({distinct} distinct)"
    return f"{images} of {classes} classes: {', '.join(parts)}"


def is_hidden(file: Path, place: Path) -> bool:
    """Return whether a file, or a folder between it and ``place``, is hidden: by a dot, or by an archiver of macOS."""
    inside = file.relative_to(place).parts if file != place and file.is_relative_to(place) else (file.name,)
    return any(part.startswith((".", "__MACOSX")) for part in inside)


def _reason_by_name(file: Path, place: Path) -> str:
    if is_hidden(file, place):
        return HIDDEN
    if not file.exists():
        return "broken link"
    if file.name == "groups.csv":
        return "table of groups"
    return OUTSIDE if format_of(file) is not None else f"unknown format ({file.suffix.lower() or 'no suffix'})"
