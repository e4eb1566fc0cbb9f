"""Read ``groups.csv``, which anyone may have written."""

import os
from pathlib import Path

import pandas as pd

from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError

FILE = "groups.csv"
_GROUPS, _FOLDS, _PATIENTS = ("leak_group", "group"), ("fold5", "fold"), ("cheng_patient_group", "patient_id")


def read_groups(file: Path) -> pd.DataFrame:
    """Read and check a ``groups.csv``.

    Columns: ``path`` from the CSV's folder, ``leak_group`` or ``group`` and, where known, ``fold5`` or ``fold``,
    ``cheng_patient_group`` or ``patient_id``; of two the first named here counts, others are left alone.

    Returns:
        Text columns ``patient_id, group, fold, sha256``, unknown = empty; the index is the whole path.

    Raises:
        DataError: The file is unreadable or lacks a column, names a path twice or none, has a fold that is no whole
            number from 0, or has a group in two folds.
    """
    written = read_table(file)
    group = _first(written, _GROUPS)
    if "path" not in written.columns or group is None:
        raise DataError(
            f"{file} has the columns {', '.join(written.columns)}; expected path and leak_group (or group) and, where "
            "known, fold5 (or fold) and patient_id; mend it, or rename it if it is no table of groups."
        )
    fold, patient = _first(written, _FOLDS), _first(written, _PATIENTS)
    empty = pd.Series("", index=written.index)
    table = pd.DataFrame(
        {
            "patient_id": empty if patient is None else patient,
            "group": group,
            "fold": empty if fold is None else _whole(fold, file),
            "sha256": written.get("sha256", empty),
        }
    ).set_axis([whole_path(file.parent / path) for path in written["path"]])
    _check(table, written["path"], file)
    return table


def whole_path(path: str | Path) -> str:
    """A path from the root, without ``.`` and ``..``; links are left as they are named."""
    return os.path.abspath(path)  # noqa: PTH100 - many times faster than Path, for thousands of them


def _first(written: pd.DataFrame, names: tuple[str, ...]) -> "pd.Series[str] | None":
    return next((written[name].str.strip() for name in names if name in written.columns), None)


def _whole(fold: "pd.Series[str]", file: Path) -> "pd.Series[str]":
    """Folds as plain digits; tables with gaps are often written with 2.0."""
    known = fold[fold != ""]
    numbers = pd.to_numeric(known, errors="coerce")
    bad = known[numbers.isna() | (numbers < 0) | (numbers % 1 != 0)]
    if len(bad):
        raise DataError(
            f"{file}: {len(bad)} folds are no whole number from 0, first {bad.iloc[0]!r} in row {bad.index[0] + 2}; "
            "write 0, 1, 2, … or nothing."
        )
    return numbers.astype("int64").astype(str).reindex(fold.index, fill_value="")


def _check(table: pd.DataFrame, paths: "pd.Series[str]", file: Path) -> None:
    blank = paths.str.strip() == ""
    if blank.any():
        raise DataError(f"{file}: {int(blank.sum())} rows have no path; give each its file, or remove them.")
    twice = table.index.duplicated()
    if twice.any():
        raise DataError(
            f"{file} names {int(twice.sum())} paths more than once, first {paths[twice].iloc[0]!r}; "
            "keep one row for each file."
        )
    placed = table[(table["group"] != "") & (table["fold"] != "")]
    folds = placed.groupby("group")["fold"].unique()
    torn = folds[folds.map(len) > 1]
    if len(torn):
        raise DataError(
            f"{file}: {len(torn)} groups stand in several folds, first {torn.index[0]!r} in {', '.join(torn.iloc[0])}; "
            "a group must keep to one fold."
        )
