"""The published split, its test without duplicates of training, and the automatic choice."""

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from brain_tumor.data.splits.grouped import Grouped
from brain_tumor.data.splits.holdout import with_validation
from brain_tumor.errors import DataError


@dataclass(frozen=True)
class Official:
    """The data set's own split as published; validation is taken from its training part where it has none."""

    name: ClassVar = "official"
    val: float = 0.15
    """Share of the training part for validation, where the data set has no validation part."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``.

        Raises:
            DataError: The data set has no test part, or images that belong to no part.
        """
        require_parts(samples, "official")
        return with_validation(samples, self.val, self.seed)


def require_parts(samples: pd.DataFrame, name: str) -> None:
    """Refuse data that have no split of their own.

    Raises:
        DataError: The data set has no test part, or images that belong to no part.
    """
    own = samples["split"]
    if not {"train", "test"} <= set(own):
        raise DataError(f"split={name} needs data with a train and a test part of their own; use split=holdout.")
    if (own == "").any():
        raise DataError(
            f"{int((own == '').sum())} images belong to no part of the data set's own split; "
            "fill their split or use split=holdout."
        )


@dataclass(frozen=True)
class OfficialClean:
    """`Official` without its leaks: training stays whole, the images tested are a subset of the published ones.

    Left out are test and validation images whose group stands in the published training part, and validation images
    whose group stands in the test.
    """

    name: ClassVar = "official_clean"
    val: float = 0.15
    """Share of the training part for validation, where the data set has no validation part."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``, empty for images left out.

        Raises:
            DataError: No images, or none of a class, are left of the test or the validation part; or the data set has
                no test part, or images that belong to no part.
        """
        require_parts(samples, "official_clean")
        split = samples["split"].copy()
        for dirty, clean in (("test", "train"), ("val", "train"), ("val", "test")):
            there = set(samples["group"][split == clean])
            split[(split == dirty) & samples["group"].isin(there)] = ""
        for part in ("test", "val"):
            _require_left(samples[samples["split"] == part], split, part)
        return with_validation(samples.assign(split=split), self.val, self.seed)


def _require_left(published: pd.DataFrame, split: "pd.Series[str]", part: str) -> None:
    left = published[split[published.index] == part]
    gone = sorted(set(published["label"]) - set(left["label"]))
    if gone:
        lost = published["label"].isin(gone).sum()
        raise DataError(
            f"Only {len(left)} of the {len(published)} images of the published {part} part are left once those whose "
            f"patient or image stands in another part are taken out, and none of {', '.join(gone)} (there were "
            f"{lost}); use split=grouped."
        )


@dataclass(frozen=True)
class Auto:
    """The data set's own split where it has one, else the leak-free split `Grouped`."""

    name: ClassVar = "auto"
    val: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split`` as `Official` or `Grouped` would.

        Raises:
            DataError: As these.
        """
        if "test" in set(samples["split"]):
            return Official(self.val, self.seed)(samples)
        return Grouped(self.val, self.test, seed=self.seed)(samples)
