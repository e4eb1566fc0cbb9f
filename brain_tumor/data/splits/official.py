"""The official split of a data set, its leak-free subset, and the automatic choice."""

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from brain_tumor.data.splits.grouped import Grouped
from brain_tumor.data.splits.holdout import with_validation
from brain_tumor.errors import DataError


@dataclass(frozen=True)
class Official:
    """The split as published; where it has no val, that is drawn from its train by group."""

    name: ClassVar = "official"
    val: float = 0.15
    """Share of the training images for validation, where the data set has no val split."""
    seed: int = 0
    """Seed of the random draw."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``.

        Raises:
            DataError: The data set has no train or no test split, or images without a split.
        """
        _require_official_split(samples, "official")
        return with_validation(samples, self.val, self.seed)


@dataclass(frozen=True)
class OfficialClean:
    """`Official` without its leaks: train stays complete, val and test are subsets of the published ones.

    Left out are val and test images that share a group with the published train, and val images that share a group with
    the test.
    """

    name: ClassVar = "official_clean"
    val: float = 0.15
    """Share of the training images for validation, where the data set has no val split."""
    seed: int = 0
    """Seed of the random draw."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``, empty for images left out.

        Raises:
            DataError: Val or test loses all images of a class; or the data set has no train or no test split, or images
                without a split.
        """
        _require_official_split(samples, "official_clean")
        split = samples["split"].copy()
        for reduced, reference in (("test", "train"), ("val", "train"), ("val", "test")):
            groups = set(samples["group"][split == reference])
            split[(split == reduced) & samples["group"].isin(groups)] = ""
        for name in ("test", "val"):
            _require_classes(samples[samples["split"] == name], split, name)
        return with_validation(samples.assign(split=split), self.val, self.seed)


@dataclass(frozen=True)
class Auto:
    """`Official` where the data set has a test split, else `Grouped`."""

    name: ClassVar = "auto"
    val: float = 0.15
    """Share of images for validation, where the data set has no val split."""
    test: float = 0.15
    """Share of images for the test, where the data set has neither a test split nor folds."""
    seed: int = 0
    """Seed of the random draw."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``.

        Raises:
            DataError: For the reasons of `Official` or `Grouped`.
        """
        if "test" in set(samples["split"]):
            return Official(self.val, self.seed)(samples)
        return Grouped(self.val, self.test, seed=self.seed)(samples)


def _require_official_split(samples: pd.DataFrame, name: str) -> None:
    split = samples["split"]
    if not {"train", "test"} <= set(split):
        raise DataError(f"split={name} needs data with an official train and test split; use split=holdout.")
    without_split = int((split == "").sum())
    if without_split:
        raise DataError(
            f"{without_split} images are in no split of the data set: fill their split, or use split=holdout."
        )


def _require_classes(published: pd.DataFrame, split: "pd.Series[str]", name: str) -> None:
    """Refuse a split that lost all images of a class.

    Args:
        published: Samples of the published split.
        split: Split of all samples once leaking images are left out.
        name: Name of the split.
    """
    remaining = published[split[published.index] == name]
    lost = sorted(set(published["label"]) - set(remaining["label"]))
    if lost:
        raise DataError(
            f"Only {len(remaining)} of the {len(published)} published {name} images share no patient or image with "
            f"another split, and none of {', '.join(lost)} (there were {published['label'].isin(lost).sum()}): use "
            "split=grouped."
        )
