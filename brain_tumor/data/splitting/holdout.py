"""One split by group."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.splitting.allotting import allot
from brain_tumor.errors import DataError


@dataclass(frozen=True)
class Holdout:
    """A stratified split by group; the data set's own split and folds, if it has them, are set aside."""

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
