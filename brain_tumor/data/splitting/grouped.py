"""The leak-free split: what to use where a published one leaks."""

from dataclasses import dataclass

import pandas as pd

from brain_tumor.data.splitting.folds import KFold, has_folds
from brain_tumor.data.splitting.holdout import Holdout


@dataclass(frozen=True)
class Grouped:
    """By leak-free folds where the data came with them, so that results compare with others'; else a `Holdout`.

    Of folds, number ``fold`` is the test, the next validation, the rest training.
    """

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
