"""The samples table: one row per image, plain CSV; all columns are text, and unknown values are empty.

``series`` is the volume that a slice belongs to: the name of a NIfTI file, or a pseudonym of a DICOM series.
"""

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.errors import DataError
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.types import Floats

COLUMNS = (
    "sample_id",
    "path",
    "label",
    "patient_id",
    "source",
    "plane",
    "mask_path",
    "split",
    "group",
    "fold",
    "sha256",
    "series",
)
SPLITS = ("train", "val", "test")


def samples_table(rows: Sequence[Mapping[str, str]] | pd.DataFrame) -> pd.DataFrame:
    """Build a samples table from rows with some of `COLUMNS`; missing values are empty, other columns are dropped.

    Rows are sorted by ``sample_id``, so that the same data give the same table in whatever order they were listed.

    Raises:
        DataError: A ``sample_id`` is not unique.
    """
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(object).fillna("").astype(str)
    repeated = table["sample_id"][table["sample_id"].duplicated()]
    if len(repeated):
        raise DataError(
            f"{repeated.nunique()} sample ids occur more than once, first {repeated.iloc[0]!r}; "
            "give each image its own."
        )
    return table.sort_values("sample_id", ignore_index=True)


def numbers(column: "pd.Series[Any]") -> Floats:
    """Return a column as float64 [N], text to the last bit (pandas 2 is not exact); NaN where it is no number."""
    return np.array([_number(value) for value in column], np.float64)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV file as text, empty cells as empty strings.

    Commas at the end of rows, which some programs add, are ignored.

    Raises:
        DataError: The file is missing, empty or not a CSV file, or a row has more values than there are columns.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DataError(f"{path} was not found; give the path of a CSV file of samples.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"{path} is not a readable CSV file: {reason}.") from error
    if not rows:
        raise DataError(f"{path} is not a readable CSV file: it has no columns.")
    names = [name or f"Unnamed: {number}" for number, name in enumerate(rows[0])]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path} is not a readable CSV file: the column {repeated[0]} occurs twice.")
    width = len(names)
    beyond = [number for number, row in enumerate(rows[1:], start=1) if any(row[width:])]
    if beyond:
        raise DataError(
            f"{path} has {width} columns, but {len(beyond)} rows have more values, first row {beyond[0]}; put values "
            "that contain commas in quotes."
        )
    cells = [[*row[:width], *[""] * (width - len(row))] for row in rows[1:]]
    return pd.DataFrame(cells, columns=names, dtype=str)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV in one step: a reader sees either the old file or the complete new one."""
    with published_file(path) as draft:
        table.to_csv(draft, index=False)


def data_digest(samples: pd.DataFrame) -> str:
    """Compute the digest of labelled images: the same for the same contents in any order and with any names."""
    lines = sorted(samples["sha256"] + " " + samples["label"])
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
