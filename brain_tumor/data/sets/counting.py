"""Found against published counts."""

from collections.abc import Mapping

import pandas as pd

from brain_tumor.data.sets.published import Counts, PublicSet, Release


def count(samples: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images by split and class, as `Release.counts`."""
    found: dict[str, dict[str, int]] = {}
    for split, label in zip(samples["split"], samples["label"], strict=True):
        classes = found.setdefault(split, {})
        classes[label] = classes.get(label, 0) + 1
    return found


def closest(published: PublicSet, found: Counts) -> Release:
    """The release whose counts differ least; of equals the first."""
    return min(published.releases, key=lambda release: sum(abs(n - m) for _, _, n, m in compare(release, found)))


def compare(release: Release, found: Counts) -> list[tuple[str, str, int, int]]:
    """Split, class, images found and images published, for every pair that is found or published."""
    pairs = sorted(
        {
            (split, label)
            for counts in (release.counts, found)
            for split, classes in counts.items()
            for label in classes
        },
        key=lambda pair: (pair[0] == "test", pair),
    )
    return [(split, label, _at(found, split, label), _at(release.counts, split, label)) for split, label in pairs]


def differences(published: PublicSet, samples: pd.DataFrame) -> list[str]:
    """What differs from the closest release, class by class; nothing where all is as published."""
    found = count(samples)
    return [
        f"{split} {label}".strip() + f" {images} instead of {expected}"
        for split, label, images, expected in compare(closest(published, found), found)
        if images != expected
    ]


def _at(counts: Counts, split: str, label: str) -> int:
    classes: Mapping[str, int] = counts.get(split, {})
    return classes.get(label, 0)
