"""Splits: each takes a samples table whose ``group`` is filled and returns it with ``split`` (and ``fold``) filled.

A group never stands on two sides of a split made here; an official split is taken as published, and its overlap is
counted, not hidden.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from brain_tumor.data.samples import SPLITS
from brain_tumor.errors import DataError


@dataclass(frozen=True)
class Holdout:
    """A stratified split by group; the data set's own split, if it has one, is set aside."""

    val: float = 0.15
    """Share of images for validation."""
    test: float = 0.15
    """Share of images for the test."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``.

        Raises:
            DataError: Shares that leave nothing to train on, or fewer groups of a class than sides.
        """
        return samples.assign(split=_allot(samples, {"val": self.val, "test": self.test}, self.seed))


@dataclass(frozen=True)
class Official:
    """The data set's own split; validation is taken from its training part, by group, where it has none."""

    val: float = 0.15
    """Share of the training part for validation, where the data set has no validation part."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``.

        Raises:
            DataError: The data set has no test part, or images that belong to no part.
        """
        own = samples["split"]
        if not {"train", "test"} <= set(own):
            raise DataError("split=official needs data with a train and a test part of their own; use split=holdout.")
        if (own == "").any():
            raise DataError(
                f"{int((own == '').sum())} images belong to no part of the data set's own split; "
                "fill their split or use split=holdout."
            )
        if "val" in set(own):
            return samples
        split = own.copy()
        split[own == "train"] = _allot(samples[own == "train"], {"val": self.val}, self.seed)
        return samples.assign(split=split)


@dataclass(frozen=True)
class Auto:
    """The data set's own split where it has one, else a holdout."""

    val: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split`` as `Official` or `Holdout` would."""
        if "test" in set(samples["split"]):
            return Official(self.val, self.seed)(samples)
        return Holdout(self.val, self.test, self.seed)(samples)


@dataclass(frozen=True)
class KFold:
    """Stratified folds by group: fold k is the test, fold k+1 (mod folds) validation, the rest training.

    A ``fold`` column that is filled already (a published leak-free split, say) is used as it is.
    """

    fold: int = 0
    folds: int = 5
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``fold`` and ``split``.

        Raises:
            DataError: A fold that does not exist, fewer than 3 folds, or fewer groups of a class than folds.
        """
        fold = self._given(samples) if (samples["fold"] != "").any() else self._drawn(samples)
        n = int(fold.max()) + 1
        if not 0 <= self.fold < n:
            raise DataError(f"split.fold={self.fold} does not exist; these data have folds 0 to {n - 1}.")
        split = np.select([fold == self.fold, fold == (self.fold + 1) % n], ["test", "val"], "train")
        return samples.assign(fold=fold.astype(str), split=split)

    def _given(self, samples: pd.DataFrame) -> npt.NDArray[np.int64]:
        fold = pd.to_numeric(samples["fold"], errors="coerce")
        bad = samples["sample_id"][fold.isna() | (fold < 0) | (fold % 1 != 0)]
        if len(bad):
            raise DataError(
                f"{len(bad)} images have no whole number as their fold, first {bad.iloc[0]!r}; fill all or none."
            )
        return fold.to_numpy(np.int64)

    def _drawn(self, samples: pd.DataFrame) -> npt.NDArray[np.int64]:
        if self.folds < 3:
            raise DataError(f"split.folds={self.folds} is too few: test, validation and training need 3 at least.")
        _require_groups(samples, self.folds, f"split.folds={self.folds}")
        folds = StratifiedGroupKFold(self.folds, shuffle=True, random_state=self.seed)
        result = np.empty(len(samples), np.int64)
        for number, (_, test) in enumerate(folds.split(samples, samples["label"], samples["group"])):
            result[test] = number
        return result


def _allot(samples: pd.DataFrame, shares: dict[str, float], seed: int) -> npt.NDArray[np.str_]:
    """Allot whole groups to train and the named shares, each to the side that lacks its classes most.

    Every side gets of every class that has as many groups as there are sides.

    Groups come in random order (those larger than the smallest side first, so that they find room in training); sizes
    therefore differ from the wish by less than one group.
    """
    good = all(isinstance(share, int | float) and share > 0 for share in shares.values())
    if not good or sum(shares.values()) >= 1:
        raise DataError(
            f"The shares {shares} of the split must be above 0 and leave something to train on (sum below 1)."
        )
    sides = ["train", *shares]
    _require_groups(samples, len(sides), "splitting")
    counts = pd.crosstab(samples["group"], samples["label"])
    table = counts.to_numpy()
    wish = np.outer([1 - sum(shares.values()), *shares.values()], table.sum(axis=0))
    wish[1:] = np.maximum(wish[1:], 1)  # the rarest class is tested, too
    order = np.random.default_rng(seed).permutation(len(table))
    giants = table.sum(axis=1) > wish.sum(axis=1).min()
    side_of = np.empty(len(table), np.int64)
    missing = np.ones(wish.shape, bool)
    coming = (table > 0).sum(axis=0)
    for group in order[np.argsort(~giants[order], kind="stable")]:
        now_or_never = missing & (table[group] > 0) & (missing.sum(axis=0) >= coming)
        open_to = now_or_never.any(axis=1) if now_or_never.any() else np.ones(len(sides), bool)
        side_of[group] = side = np.argmax(np.where(open_to, wish @ table[group], -np.inf))
        wish[side] -= table[group]
        missing[side] &= table[group] == 0
        coming -= table[group] > 0
    return np.array(sides)[side_of][counts.index.get_indexer(pd.Index(samples["group"]))]


def _require_groups(samples: pd.DataFrame, needed: int, what: str) -> None:
    groups = samples.groupby("label")["group"].nunique()
    rare = groups[groups < needed]
    if len(rare):
        raise DataError(
            f"Class {rare.index[0]!r} has {rare.iloc[0]} separate patients or pictures; {what} needs {needed} "
            "at least. Add images or drop the class."
        )


def check_classes(samples: pd.DataFrame) -> None:
    """Refuse samples of fewer than two classes.

    Raises:
        DataError: There is only one.
    """
    classes = sorted(set(samples["label"]))
    if len(classes) < 2:
        raise DataError(f"Only one class was found ({', '.join(classes)}); a classifier needs two at least.")


def check_split(samples: pd.DataFrame) -> None:
    """Refuse a split that cannot be trained and tested.

    Raises:
        DataError: An empty side, or a class that is tested but never trained.
    """
    for side in SPLITS:
        if side not in set(samples["split"]):
            raise DataError(f"The split has no {side} images; every split needs train, val and test.")
    trained = set(samples["label"][samples["split"] == "train"])
    for side in ("val", "test"):
        unseen = sorted(set(samples["label"][samples["split"] == side]) - trained)
        if unseen:
            raise DataError(
                f"The {side} part holds classes that training has none of: {', '.join(unseen)}; "
                f"trained are {', '.join(sorted(trained))}. Add training images, remove these, or use split=holdout."
            )


def overlap(samples: pd.DataFrame) -> int:
    """Count the val and test images whose group stands in the training part too (0 for every split made here)."""
    training = set(samples["group"][samples["split"] == "train"])
    return int((samples["group"].isin(training) & (samples["split"] != "train")).sum())
