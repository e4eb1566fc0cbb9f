"""Compare what a folder contains with what was published: ``brain-tumor data check`` and every reading of a set."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich.table import Table

from brain_tumor.data.public.layouts import existing_folder, read_samples, recognise
from brain_tumor.data.public.registry import SETS, Counts, PublicSet, Release, find_set
from brain_tumor.data.readers.reading import is_scan
from brain_tumor.errors import DataError

_DOCUMENTS = (".csv", ".json", ".md", ".pdf", ".sha256", ".txt", ".xml", ".yaml", ".zip")
"""Suffixes of files that are expected next to images."""


class ClassCount(NamedTuple):
    """Number of images of one class in one split."""

    split: str
    """Published split, empty where none is published."""
    label: str
    """Class in canonical spelling."""
    images: int
    """Images in the folder."""
    published: int
    """Images in the release."""


@dataclass(frozen=True)
class CheckResult:
    """The content of a folder compared with the published set."""

    dataset: PublicSet
    """Public set that the folder holds."""
    root: Path
    """Folder that was checked."""
    release: Release
    """Published release with the most similar counts."""
    counts: list[ClassCount]
    """Counts of every split and class."""
    patients: int
    """Number of distinct patients; 0 if none is known."""
    other_files: tuple[str, ...]
    """Files whose names are neither those of images nor of documents, relative to the root, sorted."""

    @property
    def difference(self) -> str:
        """Error message; empty where all counts are as published."""
        missing = sum(max(count.published - count.images, 0) for count in self.counts)
        extra = sum(max(count.images - count.published, 0) for count in self.counts)
        if not missing and not extra:
            return ""
        return (
            f"{self.root} differs from {self.dataset.name} as published: {missing:,} images are missing and {extra:,} "
            "are extra; fetch it again, or use it as it is and report the difference."
        )


def check(root: str | Path, name: str | None = None) -> CheckResult:
    """Compare a folder with a public set.

    Args:
        root: Folder of the unpacked set.
        name: Name of the set; None recognises it by its files and folders.

    Raises:
        DataError: The folder is missing, no set is recognised, or the folder does not have the set's layout.
    """
    folder = existing_folder(root)
    dataset = find_set(name) if name else recognise(folder)
    if dataset is None:
        raise DataError(
            f"{root} is not recognised as a public set: give its name with --set ({', '.join(SETS)}), or use "
            "data=folder for a folder of class folders."
        )
    samples = read_samples(dataset, folder).samples
    counts = count(samples)
    release = closest_release(dataset, counts)
    patients = samples["patient_id"][samples["patient_id"] != ""].nunique()
    return CheckResult(dataset, folder, release, compare(release, counts), patients, _other_files(folder))


def check_table(result: CheckResult) -> Table:
    """Build the table of images in the folder and in the release, by split and class."""
    table = Table("split", "class", "found", "published", "", box=None, pad_edge=False)
    for split, label, images, published in result.counts:
        surplus = images - published
        remark = f"{abs(surplus):,} {'missing' if surplus < 0 else 'extra'}" if surplus else ""
        table.add_row(split or "all", label, f"{images:,}", f"{published:,}", remark)
    images, published = (sum(row.images for row in result.counts), sum(row.published for row in result.counts))
    table.add_row("", "total", f"{images:,}", f"{published:,}")
    return table


def count(samples: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count images by split and class, in the form of `Release.counts`."""
    counts: dict[str, dict[str, int]] = {}
    for split, label in zip(samples["split"], samples["label"], strict=True):
        classes = counts.setdefault(split, {})
        classes[label] = classes.get(label, 0) + 1
    return counts


def differences(dataset: PublicSet, samples: pd.DataFrame) -> list[str]:
    """Describe the classes whose counts differ from the closest release; empty where all are as published."""
    counts = count(samples)
    return [
        f"{split} {label}".strip() + f" {images} instead of {published}"
        for split, label, images, published in compare(closest_release(dataset, counts), counts)
        if images != published
    ]


def closest_release(dataset: PublicSet, counts: Counts) -> Release:
    """Return the release whose counts differ least; the first of equals."""

    def distance(release: Release) -> int:
        return sum(abs(images - published) for _, _, images, published in compare(release, counts))

    return min(dataset.releases, key=distance)


def compare(release: Release, counts: Counts) -> list[ClassCount]:
    """List the counts of every split and class that the folder or the release has, train before test."""
    keys = {(split, label) for split, classes in (*release.counts.items(), *counts.items()) for label in classes}
    return [
        ClassCount(split, label, _get(counts, split, label), _get(release.counts, split, label))
        for split, label in sorted(keys, key=lambda key: (key[0] == "test", key))
    ]


def _get(counts: Counts, split: str, label: str) -> int:
    return counts[split].get(label, 0) if split in counts else 0


def _other_files(root: Path) -> tuple[str, ...]:
    paths = (Path(parent, name) for parent, _, names in os.walk(root) for name in names if not name.startswith("."))
    others = (path for path in paths if not is_scan(path) and path.suffix.lower() not in _DOCUMENTS)
    return tuple(sorted(path.relative_to(root).as_posix() for path in others))
