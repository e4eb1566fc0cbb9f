"""One random split by group in which every class keeps its share."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.errors import DataError
from brain_tumor.types import Floats, Rows

_DRAWS = 20
_ACCEPTED = (0, 1.0)
"""Deviation below which the first draw is taken: no class missing in any split, all shares within the bound."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holdout:
    """A stratified split by group; the official split and folds of the data are ignored."""

    name: ClassVar = "holdout"
    val: float = 0.15
    """Share of images for validation."""
    test: float = 0.15
    """Share of images for the test."""
    seed: int = 0
    """Seed of the random draw."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``; each class keeps its shares within the bounds that `assign_by_group` states.

        Raises:
            DataError: The shares leave nothing for training, or a class has fewer than three groups.
        """
        return samples.assign(split=hold_out(samples, {"val": self.val, "test": self.test}, self.seed))


def hold_out(samples: pd.DataFrame, shares: Mapping[str, float], seed: int) -> npt.NDArray[np.str_]:
    """Assign whole groups to the given splits, and the rest to train.

    Args:
        samples: Samples table with ``group`` and ``label`` filled.
        shares: Split → share of the images.
        seed: Seed of the random draw.

    Returns:
        Name of the split of each sample, [N].

    Raises:
        DataError: The shares leave nothing for training, or a class has fewer groups than there are splits.
    """
    valid = all(isinstance(share, int | float) and share > 0 for share in shares.values())
    if not valid or sum(shares.values()) >= 1:
        values = ", ".join(f"split.{name}={share}" for name, share in shares.items())
        raise DataError(f"Invalid {values}: expected shares above 0 that leave something for training (sum below 1).")
    return assign_by_group(samples, {"train": 1 - sum(shares.values()), **shares}, seed, "the split")


def with_validation(samples: pd.DataFrame, val: float, seed: int) -> pd.DataFrame:
    """Move part of train to val, by group, where the split has no val; everything else stays.

    Args:
        samples: Samples table with ``split`` filled.
        val: Share of the training images that become validation images.
        seed: Seed of the random draw.

    Raises:
        DataError: The share is invalid, or a class has fewer than two groups in train.
    """
    training = samples["split"] == "train"
    if not training.any() or (samples["split"] == "val").any():
        return samples
    split = samples["split"].copy()
    split[training] = hold_out(samples[training], {"val": val}, seed)
    return samples.assign(split=split)


def assign_by_group(
    samples: pd.DataFrame, shares: Mapping[str, float], seed: int | Sequence[int], needed_by: str
) -> npt.NDArray[np.str_]:
    """Assign each sample to a split: the same for a whole group, with about the given share of each class.

    Every split gets images of every class. The number of images of a class in a split deviates from its share by

    - less than the largest group of the class, if every split's share of the class is at least as large as that group;
    - otherwise, above the share, by less than the largest group plus 1;
    - where groups contain several classes, up to `_DRAWS` random orders are tried until every split has every class and
      the deviation is below the first bound plus 1. If none is found, the closest is used and a warning is logged.

    Args:
        samples: Samples table with ``group`` and ``label`` filled, in any order.
        shares: Split → share of the images; the shares sum to 1, train comes first.
        seed: Seed of the random order of groups.
        needed_by: Setting or step that needs this many splits, for the error message.

    Returns:
        Name of the split of each sample, [N].

    Raises:
        DataError: A class has fewer groups than there are splits.
    """
    _require_groups(samples, len(shares), needed_by)
    counts = pd.crosstab(samples["group"], samples["label"])
    table, share_values = counts.to_numpy(), np.array(list(shares.values()))
    rng = np.random.default_rng(seed)
    smallest: tuple[float, float] = (np.inf, np.inf)
    for _ in range(_DRAWS):
        draw = _assign(table, share_values, rng.permutation(len(table)))
        deviation = _deviation(table, share_values, draw)
        if deviation < smallest:
            best, smallest = draw, deviation
        if smallest < _ACCEPTED:
            break
    else:
        log.warning("The split keeps the class shares only roughly: some groups have images of several classes.")
    return np.array(list(shares))[best][counts.index.get_indexer(pd.Index(samples["group"]))]


def _assign(table: Rows, shares: Floats, order: Rows) -> Rows:
    """Assign each group in turn to the split that lacks most of its classes.

    Groups larger than the smallest split come first, so that they fit into the largest. Once a class has no more groups
    left than splits that still lack it, these splits have priority: so every split gets every class. Images of a class
    are counted in units of its largest group; otherwise common classes would outweigh rare ones.

    Args:
        table: Number of images by group and class, int64 [groups, classes].
        shares: Share of each split, train first, [splits].
        order: Order in which groups are assigned, int64 [groups].

    Returns:
        Number of the split of each group, int64 [groups].
    """
    lacking = np.outer(shares, table.sum(axis=0))
    lacking[1:] = np.maximum(lacking[1:], 1)  # the rarest class is tested, too
    units = table / table.max(axis=0) ** 2
    large = table.sum(axis=1) > lacking.sum(axis=1).min()
    split_of = np.empty(len(table), np.int64)
    missing = np.ones(lacking.shape, bool)
    groups_left = (table > 0).sum(axis=0)
    for group in order[np.argsort(~large[order], kind="stable")]:
        urgent = (missing & (table[group] > 0) & (missing.sum(axis=0) >= groups_left)).sum(axis=1)
        split = np.argmax(np.where(urgent == urgent.max(), lacking @ units[group], -np.inf))
        split_of[group] = split
        lacking[split] -= table[group]
        missing[split] &= table[group] == 0
        groups_left -= table[group] > 0
    return split_of


def _deviation(table: Rows, shares: Floats, split_of: Rows) -> tuple[int, float]:
    """Count the classes that splits lack, and measure the largest deviation from a share in units of its bound.

    Classes whose largest group exceeds their smallest share have no such bound and are not measured.
    """
    sizes = np.array([table[split_of == split].sum(axis=0) for split in range(len(shares))])
    expected, largest = np.outer(shares, table.sum(axis=0)), table.max(axis=0)
    bounded = expected.min(axis=0) >= largest
    deviation = (np.abs(sizes - expected) / (largest + 1))[:, bounded]
    return int((sizes == 0).sum()), float(deviation.max(initial=0))


def _require_groups(samples: pd.DataFrame, needed: int, needed_by: str) -> None:
    groups = samples.groupby("label")["group"].nunique()
    rare = groups[groups < needed]
    if len(rare):
        raise DataError(
            f"Class {rare.index[0]!r} has {rare.iloc[0]} separate groups (patients or images): {needed_by} needs at "
            f"least {needed}. {_shared_identity(samples, rare.index[0]) or 'Add images or remove the class.'}"
        )


def _shared_identity(samples: pd.DataFrame, label: object) -> str:
    """Say which patient id the images of a class share with other classes, as placeholders are; empty if none."""
    of_class = samples["label"] == label
    patients = set(samples["patient_id"][of_class]) & set(samples["patient_id"][~of_class]) - {""}
    if not patients:
        return ""
    shared = min(patients)
    count = int((samples["patient_id"] == shared).sum())
    return (
        f"{count} images of several classes have the patient id {shared}: if it is a placeholder and no patient, let "
        "something else tell patients apart, data.patient=study or data.patient=file."
    )
