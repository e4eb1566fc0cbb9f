"""A split that is read from a CSV file."""

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
    """The split in a CSV with ``sample_id`` and ``split``, such as samples.csv of an earlier run, edited or not.

    Every image needs a row; an empty ``split`` leaves it out. Rows of other images and other columns are ignored. Where
    ids have changed, images are matched by ``sha256`` if the CSV has it. The split is taken unchanged; where it has no
    val, that is drawn from its train by group.
    """

    name: ClassVar = "file"
    path: str
    """Path of the CSV."""
    val: float = 0.15
    """Share of the training images for validation, where the CSV has no val split."""
    seed: int = 0
    """Seed of the random draw."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``, empty for images left out.

        Raises:
            DataError: The file is missing or no CSV, lacks a column, has an unknown split or two for one image, or has
                no row for an image.
        """
        table = read_table(Path(self.path).expanduser())
        key = self._key(table, samples)
        splits = self._splits(table, key)
        matched = samples[key].isin(splits.index)
        if not matched.all():
            raise DataError(
                f"{self.path} has no row for {int((~matched).sum())} of {len(samples)} images, first "
                f"{samples['sample_id'][~matched].iloc[0]!r}: give each a row, with an empty split to leave it out."
            )
        surplus = len(splits) - samples[key].nunique()
        if surplus:
            log.info("%s: ignored %d images that are not among these data.", self.path, surplus)
        return with_validation(samples.assign(split=samples[key].map(splits)), self.val, self.seed)

    def _key(self, table: pd.DataFrame, samples: pd.DataFrame) -> str:
        """Choose the column that identifies images: ``sample_id``, or ``sha256`` where only that matches all images."""
        missing = [column for column in ("sample_id", "split") if column not in table.columns]
        if missing:
            raise DataError(
                f"{self.path} has no column {' and no column '.join(missing)}; it has {', '.join(table.columns)}: "
                "expected sample_id and split."
            )
        if samples["sample_id"].isin(table["sample_id"]).all() or "sha256" not in table.columns:
            return "sample_id"
        matched = samples["sha256"].isin(table["sha256"]) & (samples["sha256"] != "")
        return "sha256" if matched.all() else "sample_id"

    def _splits(self, table: pd.DataFrame, key: str) -> "pd.Series[str]":
        """Check the column ``split`` and index it by the column ``key``."""
        rows = table.assign(split=table["split"].str.strip().str.lower())[[key, "split"]].drop_duplicates()
        unknown = rows[~rows["split"].isin(("", *SPLITS))]
        if len(unknown):
            raise DataError(
                f"{self.path}: invalid split {unknown['split'].iloc[0]!r} for {unknown[key].iloc[0]!r}: "
                "expected train, val, test or nothing."
            )
        rows = rows[rows[key] != ""]
        repeated = rows[key][rows[key].duplicated()]
        if len(repeated):
            raise DataError(
                f"{self.path} has several splits for {len(repeated)} images, first {key} {repeated.iloc[0]!r}: "
                "keep one row each."
            )
        return rows.set_index(key)["split"]
