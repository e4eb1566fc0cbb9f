"""One random split by group that keeps every class's share."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.errors import DataError

_DRAWS = 20
_GOOD = (0, 1.0)
"""No class missing on any side, none further off than the bound."""

log = logging.getLogger(__name__)


def allot(
    samples: pd.DataFrame, shares: Mapping[str, float], seed: int | Sequence[int], what: str
) -> npt.NDArray[np.str_]:
    """Name a side for each sample: the same for a whole group, near its share of each class.

    Every side gets of every class. How far its images of a class may be from their share, in images:

    - less than the largest group of the class, where no side's share of the class is smaller than that group;
    - in a class of fewer or more uneven groups than that, above the share by less than the largest group and 1;
    - where groups hold several classes, all sides with all classes and the first bound + 1 are what is tried for, in
      up to `_DRAWS` orders. Such a split need not exist; the nearest is taken then, and the log says so.

    Args:
        samples: With ``group`` and ``label``; their order does not matter.
        shares: Of each side, sum 1, training first.
        seed: Decides which groups go where.
        what: Needs so many sides, for the message.

    Raises:
        DataError: A class has fewer groups than there are sides.
    """
    _require_groups(samples, len(shares), what)
    counts = pd.crosstab(samples["group"], samples["label"])
    table, parts = counts.to_numpy(), np.array(list(shares.values()))
    rng = np.random.default_rng(seed)
    fault: tuple[float, float] = (np.inf, np.inf)
    for _ in range(_DRAWS):
        draw = _deal(table, parts, rng.permutation(len(table)))
        if (off := _fault(table, parts, draw)) < fault:
            best, fault = draw, off
        if fault < _GOOD:
            break
    else:
        log.warning("The split keeps its shares only roughly: some patients or images hold images of several classes.")
    return np.array(list(shares))[best][counts.index.get_indexer(pd.Index(samples["group"]))]


def _deal(
    table: npt.NDArray[np.int64], parts: npt.NDArray[np.float64], order: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Give each group in turn to the side that lacks its classes most; number of the side, int64 [groups].

    Groups larger than the smallest side come first, so that they find room in the largest. Once no more groups of a
    class are to come than sides wait for one, these sides go first: so every side gets of every class. A class counts
    in units of its largest group, lest the common ones outweigh the rare.

    Args:
        table: Images of each group and class.
        parts: Share of each side.
        order: Of the groups.
    """
    wish = np.outer(parts, table.sum(axis=0))
    wish[1:] = np.maximum(wish[1:], 1)  # the rarest class is tested, too
    units = table / table.max(axis=0) ** 2
    giants = table.sum(axis=1) > wish.sum(axis=1).min()
    side_of = np.empty(len(table), np.int64)
    missing = np.ones(wish.shape, bool)
    coming = (table > 0).sum(axis=0)
    for group in order[np.argsort(~giants[order], kind="stable")]:
        urgent = (missing & (table[group] > 0) & (missing.sum(axis=0) >= coming)).sum(axis=1)
        side_of[group] = side = np.argmax(np.where(urgent == urgent.max(), wish @ units[group], -np.inf))
        wish[side] -= table[group]
        missing[side] &= table[group] == 0
        coming -= table[group] > 0
    return side_of


def _fault(
    table: npt.NDArray[np.int64], parts: npt.NDArray[np.float64], side_of: npt.NDArray[np.int64]
) -> tuple[int, float]:
    """How many classes the sides miss, and how far a class of enough groups is off, in units of the bound."""
    sizes = np.array([table[side_of == side].sum(axis=0) for side in range(len(parts))])
    wish, largest = np.outer(parts, table.sum(axis=0)), table.max(axis=0)
    enough = wish.min(axis=0) >= largest
    return int((sizes == 0).sum()), float((np.abs(sizes - wish) / (largest + 1))[:, enough].max(initial=0))


def _require_groups(samples: pd.DataFrame, needed: int, what: str) -> None:
    groups = samples.groupby("label")["group"].nunique()
    rare = groups[groups < needed]
    if len(rare):
        raise DataError(
            f"Class {rare.index[0]!r} has {rare.iloc[0]} separate patients or images; {what} needs {needed} "
            "at least. Add images or drop the class."
        )


@dataclass(frozen=True)
class Holdout:
    """A stratified split by group; the data set's own split and folds, if it has them, are set aside."""

    name: ClassVar = "holdout"
    val: float = 0.15
    """Share of images for validation."""
    test: float = 0.15
    """Share of images for the test."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``; each class keeps its shares as `allot` says.

        Raises:
            DataError: Shares that leave nothing to train on, or fewer groups of a class than sides.
        """
        return samples.assign(split=taken_off(samples, {"val": self.val, "test": self.test}, self.seed))


def taken_off(samples: pd.DataFrame, shares: Mapping[str, float], seed: int) -> npt.NDArray[np.str_]:
    """Allot whole groups to the named sides, and the rest to train.

    Raises:
        DataError: Shares that leave nothing to train on, or fewer groups of a class than sides.
    """
    good = all(isinstance(share, int | float) and share > 0 for share in shares.values())
    if not good or sum(shares.values()) >= 1:
        raise DataError(
            f"The shares {dict(shares)} of the split must be above 0 and leave something to train on (sum below 1)."
        )
    return allot(samples, {"train": 1 - sum(shares.values()), **shares}, seed, "splitting")


def with_validation(samples: pd.DataFrame, val: float, seed: int) -> pd.DataFrame:
    """Take validation from the training part, by group, if there is none; the other parts stay.

    Raises:
        DataError: As `taken_off`.
    """
    training = samples["split"] == "train"
    if not training.any() or (samples["split"] == "val").any():
        return samples
    split = samples["split"].copy()
    split[training] = taken_off(samples[training], {"val": val}, seed)
    return samples.assign(split=split)
