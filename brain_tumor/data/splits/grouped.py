"""Leak-free splits by group: k folds, and one split."""

import logging
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.splits.holdout import Holdout, allot
from brain_tumor.errors import DataError, require

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KFold:
    """Stratified folds by group: fold k is the test, fold k+1 (mod folds) validation, the rest training.

    Folds that came with the data (a published leak-free split, say) are the ones of repeat 0, numbered from 0 in their
    order. Further repeats draw as many anew: somebody's one draw has no second, and its spread is what repeats show.
    """

    name: ClassVar = "kfold"
    fold: int = 0
    folds: int = 5
    """How many, unless the data came with folds."""
    seed: int = 0
    repeat: int = 0
    """Each repeat draws other folds."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``fold`` and ``split``; each class keeps its shares as `allot` says.

        Raises:
            DataError: A fold that does not exist, fewer than 3 folds, or fewer groups of a class than folds.
            ConfigError: ``repeat`` is no whole number from 0.
        """
        require(isinstance(self.repeat, int) and self.repeat >= 0, f"split.repeat={self.repeat}", "a number from 0")
        given = given_folds(samples) if has_folds(samples) else None
        n = self.folds if given is None else int(given.max()) + 1
        if n < 3:
            whose = f"split.folds={n} is" if given is None else f"The {n} folds that came with the data are"
            raise DataError(f"{whose} too few: test, validation and training need 3 at least.")
        if self.fold not in range(n):
            raise DataError(f"split.fold={self.fold} does not exist; these data have folds 0 to {n - 1}.")
        if given is None or self.repeat > 0:
            shares = dict.fromkeys(map(str, range(n)), 1 / n)
            fold = allot(samples, shares, [self.seed, self.repeat], f"split.folds={n}").astype(np.int64)
        else:
            fold = given
        split = np.select([fold == self.fold, fold == (self.fold + 1) % n], ["test", "val"], "train")
        return samples.assign(fold=fold.astype(str), split=split)


def has_folds(samples: pd.DataFrame) -> bool:
    """Whether the data came with folds."""
    return bool((samples["fold"] != "").any())


def given_folds(samples: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The folds that came with the data, numbered from 0 in their order, int64 [N].

    A group that stands in several goes whole to the one that holds most of it: who made the folds did not see all that
    links images here, near-duplicates say.

    Raises:
        DataError: An image has no whole number as its fold.
    """
    fold = pd.to_numeric(samples["fold"], errors="coerce")
    bad = samples["sample_id"][fold.isna() | (fold < 0) | (fold % 1 != 0)]
    if len(bad):
        raise DataError(
            f"{len(bad)} images have no whole number as their fold, first {bad.iloc[0]!r}; fill all or none."
        )
    home = pd.crosstab(samples["group"], fold).idxmax(axis=1)[samples["group"]].to_numpy()
    if moved := int((home != fold).sum()):
        log.warning("%d images were moved to the fold that holds most of their patient or image.", moved)
    return np.unique(home, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class Grouped:
    """By leak-free folds where the data came with them, so that results compare with others'; else a `Holdout`.

    Of folds, number ``fold`` is the test, the next validation, the rest training.
    """

    name: ClassVar = "grouped"
    val: float = 0.15
    """Share for validation, where there are no folds."""
    test: float = 0.15
    """Share for the test, where there are no folds."""
    fold: int = 0
    """The fold to test on, where there are folds."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``.

        Raises:
            DataError: As `KFold` or `Holdout`.
        """
        if has_folds(samples):
            return KFold(fold=self.fold, seed=self.seed)(samples)
        return Holdout(self.val, self.test, self.seed)(samples)
