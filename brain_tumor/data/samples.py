"""The samples table: one row per image, plain CSV, all columns text, unknown = empty."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from brain_tumor.errors import DataError
from brain_tumor.run_dir.atomic import published_file

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
)
SPLITS = ("train", "val", "test")


def samples_table(rows: Sequence[Mapping[str, str]] | pd.DataFrame) -> pd.DataFrame:
    """Build a samples table from rows that know some of `COLUMNS`; the rest is left empty, other keys are dropped.

    Rows are sorted by ``sample_id``, so that the same data give the same table whatever order they were found in.

    Raises:
        DataError: A ``sample_id`` stands twice.
    """
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(object).fillna("").astype(str)
    twice = table["sample_id"][table["sample_id"].duplicated()]
    if len(twice):
        raise DataError(
            f"{twice.nunique()} sample ids stand more than once, first {twice.iloc[0]!r}; each image needs its own."
        )
    return table.sort_values("sample_id", ignore_index=True)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV as text, empty cells as empty strings.

    Raises:
        DataError: The file is missing, empty or no CSV.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DataError(f"{path} was not found; give the path of a CSV file of samples.") from error
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"{path} is not a readable CSV: {reason}.") from error


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV in one step: a reader sees the old file or the whole new one."""
    with published_file(path) as draft:
        table.to_csv(draft, index=False)


def data_digest(samples: pd.DataFrame) -> str:
    """Digest of a set of labelled images: the same for the same contents in any order, under any names."""
    lines = sorted(samples["sha256"] + " " + samples["label"])
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
