"""``brain-tumor data check``: what lies in a folder, against what was published."""

import os
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from brain_tumor.data.public.layouts import closest, compare, count, existing, recognise, samples_of
from brain_tumor.data.public.registry import SETS, PublicSet, Release, named
from brain_tumor.data.readers.reading import is_scan
from brain_tumor.errors import DataError

_DOCUMENTS = (".csv", ".json", ".md", ".pdf", ".sha256", ".txt", ".xml", ".yaml", ".zip")  # beside images, not amiss


@dataclass(frozen=True)
class Finding:
    """What lies in a folder."""

    published: PublicSet
    root: Path
    release: Release
    """The published state that it comes closest to."""
    counts: list[tuple[str, str, int, int]]
    """Split, class, images found, images published."""
    patients: int
    """Distinct patients; 0 if none is known."""
    strangers: tuple[str, ...]
    """Files that are no images by their name, relative to the root."""

    @property
    def difference(self) -> str:
        """One sentence; empty where all is as published."""
        missing = sum(max(expected - images, 0) for _, _, images, expected in self.counts)
        extra = sum(max(images - expected, 0) for _, _, images, expected in self.counts)
        if not missing and not extra:
            return ""
        return (
            f"{self.root} is not {self.published.name} as published: {missing:,} images are missing and {extra:,} are "
            "too many; fetch it anew, or use it as it is and say so."
        )


def check(root: str | Path, name: str | None = None) -> Finding:
    """Compare a folder with the set it is, or is said to be.

    Raises:
        DataError: The folder is missing, no set is recognised, or its layout is not the set's.
    """
    folder = existing(root)
    published = named(name) if name else recognise(folder)
    if published is None:
        raise DataError(
            f"{root} is not recognised as a public set; name it with --set ({', '.join(SETS)}), or use data=folder "
            "for a folder of class folders."
        )
    samples = samples_of(published, folder)
    found = count(samples)
    release = closest(published, found)
    patients = samples["patient_id"][samples["patient_id"] != ""].nunique()
    return Finding(published, folder, release, compare(release, found), patients, _strangers(folder))


def table_of(finding: Finding) -> Table:
    """Found and published images, split by split and class by class."""
    table = Table("split", "class", "found", "published", "", box=None, pad_edge=False)
    for split, label, images, expected in finding.counts:
        remark = (
            "" if images == expected else f"{abs(images - expected):,} {'missing' if images < expected else 'extra'}"
        )
        table.add_row(split or "all", label, f"{images:,}", f"{expected:,}", remark)
    totals = [sum(row[column] for row in finding.counts) for column in (2, 3)]  # type: ignore[misc]
    table.add_row("", "total", *(f"{total:,}" for total in totals))
    return table


def _strangers(root: Path) -> tuple[str, ...]:
    return tuple(
        sorted(
            Path(parent, name).relative_to(root).as_posix()
            for parent, _, names in os.walk(root)
            for name in names
            if not name.startswith(".") and not is_scan(Path(name)) and Path(name).suffix.lower() not in _DOCUMENTS
        )
    )
