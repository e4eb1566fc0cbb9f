"""Splits that keep groups together: k folds, and one split."""

import logging
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from brain_tumor.data.splits.holdout import Holdout, assign_by_group
from brain_tumor.errors import DataError, require
from brain_tumor.types import Rows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KFold:
    """Stratified folds by group: fold k is the test, fold k + ``val_offset`` (mod folds) validation, the rest training.

    Repeat 0 uses the folds that came with the data (a published leak-free split, for example), renumbered from 0 in
    their order. Further repeats draw as many new folds at random.
    """

    name: ClassVar = "kfold"
    fold: int = 0
    """Number of the test fold."""
    folds: int = 5
    """Number of folds that are drawn; ignored where the data came with folds."""
    seed: int = 0
    """Seed of the random draw."""
    repeat: int = 0
    """Number of the repetition; each has other folds."""
    val_offset: int = 1
    """Distance from the test fold to the validation fold. Runs that differ in it alone train on other patients, and
    join to an ensemble that is tested on the same images."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``fold`` and ``split``; drawn folds keep class shares as `assign_by_group` states.

        Raises:
            DataError: The fold does not exist, there are fewer than 3 folds, or a class has fewer groups than folds.
            ConfigError: ``repeat`` is no whole number from 0, or ``val_offset`` none from 1 below the number of folds.
        """
        require(
            isinstance(self.repeat, int) and self.repeat >= 0, f"split.repeat={self.repeat}", "a whole number from 0"
        )
        given = given_folds(samples) if has_folds(samples) else None
        count = self.folds if given is None else int(given.max()) + 1
        if count < 3:
            found = f"Invalid split.folds={count}" if given is None else f"The data came with {count} folds"
            raise DataError(f"{found}: expected at least 3 (one to test, one to validate, others to train).")
        if self.fold not in range(count):
            raise DataError(f"Invalid split.fold={self.fold}: expected 0 to {count - 1}, the folds of these data.")
        is_offset = isinstance(self.val_offset, int) and 1 <= self.val_offset < count
        require(is_offset, f"split.val_offset={self.val_offset}", f"a whole number from 1 to {count - 1}")
        if given is None or self.repeat > 0:
            shares = dict.fromkeys(map(str, range(count)), 1 / count)
            fold = assign_by_group(samples, shares, [self.seed, self.repeat], f"split.folds={count}").astype(np.int64)
        else:
            fold = given
        split = np.select([fold == self.fold, fold == (self.fold + self.val_offset) % count], ["test", "val"], "train")
        return samples.assign(fold=fold.astype(str), split=split)


@dataclass(frozen=True)
class Grouped:
    """Split by the folds that came with the data, so that results are comparable with others'; else as `Holdout`.

    With folds, ``fold`` is the test, the next one validation, the rest training.
    """

    name: ClassVar = "grouped"
    val: float = 0.15
    """Share of images for validation, where the data have no folds."""
    test: float = 0.15
    """Share of images for the test, where the data have no folds."""
    fold: int = 0
    """Number of the test fold, where the data have folds."""
    seed: int = 0
    """Seed of the random draw."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``.

        Raises:
            DataError: For the reasons of `KFold` or `Holdout`.
        """
        if has_folds(samples):
            return KFold(fold=self.fold, seed=self.seed)(samples)
        return Holdout(self.val, self.test, self.seed)(samples)


def has_folds(samples: pd.DataFrame) -> bool:
    """Whether the data came with folds."""
    return bool((samples["fold"] != "").any())


def given_folds(samples: pd.DataFrame) -> Rows:
    """Read the folds that came with the data, renumbered from 0 in their order.

    A group in several folds is moved to the fold that has most of it: near-duplicates that are found here may link
    images whose relation was not known when the folds were made.

    Returns:
        int64 [N].

    Raises:
        DataError: The fold of an image is no whole number from 0.
    """
    fold = pd.to_numeric(samples["fold"], errors="coerce")
    invalid = samples["sample_id"][fold.isna() | (fold < 0) | (fold % 1 != 0)]
    if len(invalid):
        raise DataError(
            f"The fold of {len(invalid)} images is no whole number from 0, first {invalid.iloc[0]!r}: "
            "fill the column fold for all images or for none."
        )
    fold_of_group = pd.crosstab(samples["group"], fold).idxmax(axis=1)[samples["group"]].to_numpy()
    moved = int((fold_of_group != fold).sum())
    if moved:
        log.warning("%d images were moved to the fold that has most images of their group.", moved)
    return np.unique(fold_of_group, return_inverse=True)[1].astype(np.int64)
