"""A split that somebody wrote down."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from brain_tumor.data.samples import SPLITS, read_table
from brain_tumor.data.splits.holdout import with_validation
from brain_tumor.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FromFile:
    """The split in a CSV with ``sample_id`` and ``split``: samples.csv of an earlier run, say, edited by hand or not.

    Every image must be named; an empty ``split`` leaves it out. Rows of images that are not there do no harm, nor do
    other columns. Where ids have changed but both sides know ``sha256``, this tells which image is which. The file is
    taken as it is; if it has no validation part, that is taken from its training part by group.
    """

    name: ClassVar = "file"
    path: str
    val: float = 0.15
    """Share of the training part for validation, where the file has none."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``, empty for images left out.

        Raises:
            DataError: The file is missing or no CSV, lacks a column, has an unknown word as split or two for one
                image, or does not name every image.
        """
        written = read_table(Path(self.path).expanduser())
        key = self._key(written, samples)
        words = self._words(written, key)
        found = samples[key].isin(words.index)
        if not found.all():
            raise DataError(
                f"{self.path} does not name {int((~found).sum())} of {len(samples)} images, first "
                f"{samples['sample_id'][~found].iloc[0]!r}; give each a row, with an empty split to leave it out."
            )
        if surplus := len(words) - samples[key].nunique():
            log.info("%d images in %s are not among these data.", surplus, self.path)
        return with_validation(samples.assign(split=samples[key].map(words)), self.val, self.seed)

    def _key(self, written: pd.DataFrame, samples: pd.DataFrame) -> str:
        """``sample_id``, unless only the contents tell which image is which."""
        missing = [column for column in ("sample_id", "split") if column not in written.columns]
        if missing:
            raise DataError(
                f"{self.path} has no column {' and no column '.join(missing)}; it has {', '.join(written.columns)}."
            )
        if samples["sample_id"].isin(written["sample_id"]).all() or "sha256" not in written.columns:
            return "sample_id"
        known = samples["sha256"].isin(written["sha256"]) & (samples["sha256"] != "")
        return "sha256" if known.all() else "sample_id"

    def _words(self, written: pd.DataFrame, key: str) -> "pd.Series[str]":
        """What is written for each key."""
        words = written.assign(split=written["split"].str.strip().str.lower())[[key, "split"]].drop_duplicates()
        unknown = words[~words["split"].isin(("", *SPLITS))]
        if len(unknown):
            raise DataError(
                f"{self.path} has the unknown split {unknown['split'].iloc[0]!r} for {unknown[key].iloc[0]!r}; "
                "expected train, val, test or nothing."
            )
        twice = words[key][words[key].duplicated() & (words[key] != "")]
        if len(twice):
            raise DataError(
                f"{self.path} has several splits for {len(twice)} images, first {key} {twice.iloc[0]!r}; keep one each."
            )
        return words[words[key] != ""].set_index(key)["split"]
