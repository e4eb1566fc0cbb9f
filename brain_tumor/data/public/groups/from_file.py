"""Read curated groups from a ``groups.csv`` in the data folder: groups, folds and patients by path."""

import logging
import os
from collections.abc import Container
from pathlib import Path

import pandas as pd

from brain_tumor.data.public.groups.shipped import Curation, shipped_curation
from brain_tumor.data.readers.reading import source_file
from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError

FILE = "groups.csv"
SOURCE = f"{FILE} in the data folder"
_UNKNOWN_ORIGIN = f"Read from {FILE} in the data folder, which does not state how its groups were made."
_GROUP_NAMES, _FOLD_NAMES = ("leak_group", "group"), ("fold5", "fold")
_PATIENT_NAMES = ("cheng_patient_group", "patient_id")
"""Names of a column of the CSV; the first that exists is read."""
_COLUMNS = ["patient_id", "group", "fold"]
log = logging.getLogger(__name__)


def curation_from_file(samples: pd.DataFrame, root: Path) -> Curation | None:
    """Look up samples in the ``groups.csv`` of their data folder.

    The file is searched in ``root`` and in the wrapper folders between it and the images; the topmost one is read.
    An image is looked up by its exact path or, if the CSV has no such path, by its path without the last suffix:
    re-encoded data have ``scan.tif.jpg`` for the ``scan.tif`` of the CSV. Rows without an image are ignored, and
    counted in the log; images without a row stay empty.

    Args:
        samples: Samples table.
        root: Folder of the data, or the manifest.

    Returns:
        Patients, groups and folds of the samples; None if there is no such file.

    Raises:
        DataError: The CSV is invalid, see `read_groups`, or has no row for any of the images.
    """
    file = _groups_file(samples["path"].tolist(), root.expanduser())
    if file is None:
        return None
    table = read_groups(file)
    keys = [_key(path, table.index) for path in samples["path"]]
    used = set(keys) - {""}
    if not used:
        raise DataError(
            f"{file} names {len(table)} files, but none of the {len(samples)} images: expected paths relative to its "
            "folder; correct them, or rename the file if it belongs to other data."
        )
    if len(used) < len(table):
        log.info("%s: ignored %d of %d rows without an image in these data", file, len(table) - len(used), len(table))
    rows = table[_COLUMNS].reindex(keys).fillna("").set_axis(samples.index)
    folds = pd.to_numeric(table["fold"][table["fold"] != ""])
    shipped = _equal_shipped(table)
    return Curation(
        rows=rows,
        fold_count=int(folds.max()) + 1 if len(folds) else 0,
        source=SOURCE,
        sets=shipped.sets if shipped else tuple(sorted(set(samples["source"]) - {""})),
        how=shipped.how if shipped else _UNKNOWN_ORIGIN,
    )


def read_groups(file: Path) -> pd.DataFrame:
    """Read and check a ``groups.csv``.

    Columns: ``path`` relative to the CSV's folder, ``leak_group`` or ``group`` and, where known, ``fold5`` or ``fold``,
    ``cheng_patient_group`` or ``patient_id``, ``sha256``. Where both names of a column exist, the first is read. Other
    columns are ignored.

    Returns:
        Text columns ``patient_id, group, fold, sha256``, unknown = empty; the index is the absolute path.

    Raises:
        DataError: The file is unreadable or lacks a column, has a row without a path or two for one path, has a fold
            that is no whole number from 0, or has a group in two folds.
    """
    table = read_table(file)
    group = _first_column(table, _GROUP_NAMES)
    if "path" not in table.columns or group is None:
        raise DataError(
            f"{file} has the columns {', '.join(table.columns)}: expected path and leak_group (or group) and, where "
            "known, fold5 (or fold) and patient_id; correct it, or rename it if it is no table of groups."
        )
    fold, patient = _first_column(table, _FOLD_NAMES), _first_column(table, _PATIENT_NAMES)
    empty = pd.Series("", index=table.index)
    groups = pd.DataFrame(
        {
            "patient_id": empty if patient is None else patient,
            "group": group,
            "fold": empty if fold is None else _whole_numbers(fold, file),
            "sha256": table.get("sha256", empty),
        }
    ).set_axis([_absolute(file.parent / path) for path in table["path"]])
    _check(groups, table["path"], file)
    return groups


def _first_column(table: pd.DataFrame, names: tuple[str, ...]) -> "pd.Series[str] | None":
    return next((table[name].str.strip() for name in names if name in table.columns), None)


def _whole_numbers(fold: "pd.Series[str]", file: Path) -> "pd.Series[str]":
    """Write folds as whole numbers; tables with empty cells are often saved with 2.0."""
    filled = fold[fold != ""]
    numbers = pd.to_numeric(filled, errors="coerce")
    invalid = filled[numbers.isna() | (numbers < 0) | (numbers % 1 != 0)]
    if len(invalid):
        raise DataError(
            f"{file}: {len(invalid)} folds are no whole number from 0, first {invalid.iloc[0]!r} in row "
            f"{invalid.index[0] + 2}: write 0, 1, 2, … or nothing."
        )
    return numbers.astype("int64").astype(str).reindex(fold.index, fill_value="")


def _check(groups: pd.DataFrame, paths: "pd.Series[str]", file: Path) -> None:
    blank = paths.str.strip() == ""
    if blank.any():
        raise DataError(f"{file}: {int(blank.sum())} rows have no path: fill it, or remove these rows.")
    repeated = groups.index.duplicated()
    if repeated.any():
        raise DataError(
            f"{file}: {int(repeated.sum())} rows repeat a path, first {paths[repeated].iloc[0]!r}: keep one row "
            "per file."
        )
    complete = groups[(groups["group"] != "") & (groups["fold"] != "")]
    folds = complete.groupby("group")["fold"].unique()
    divided = folds[folds.map(len) > 1]
    if len(divided):
        raise DataError(
            f"{file}: {len(divided)} groups are in more than one fold, first {divided.index[0]!r} in "
            f"{', '.join(divided.iloc[0])}: expected one fold per group."
        )


def _groups_file(paths: list[str], root: Path) -> Path | None:
    """Find the topmost ``groups.csv`` from ``root`` down to the common folder of all images."""
    top = (root.parent if root.is_file() else root).resolve()
    parents = {os.path.dirname(_absolute(source_file(path))) for path in paths}  # noqa: PTH120 - thousands of paths
    common = Path(os.path.commonpath(parents))
    below = common.relative_to(top).parts if common.is_relative_to(top) else ()
    files = [top.joinpath(*below[:depth], FILE) for depth in range(len(below) + 1)]
    manifest = root.resolve()  # a manifest may itself be named groups.csv
    return next((file for file in files if file.is_file() and file != manifest), None)


def _key(path: str, index: Container[str]) -> str:
    """Find the path by which the CSV names a sample, also a slice of a volume; empty if it has no row."""
    absolute = _absolute(path)
    if absolute in index:
        return absolute
    file = _absolute(source_file(path))
    return next((candidate for candidate in (file, os.path.splitext(file)[0]) if candidate in index), "")  # noqa: PTH122


def _absolute(path: str | Path) -> str:
    """Make a path absolute, without ``.`` and ``..``; symbolic links are not resolved."""
    return os.path.abspath(path)  # noqa: PTH100 - many times faster than Path, for thousands of paths


def _equal_shipped(table: pd.DataFrame) -> Curation | None:
    """The shipped curation, if it equals the CSV for all its files; then the origin of the groups is known."""
    shipped = shipped_curation(table.assign(source=""))
    if shipped is None or not (shipped.rows.to_numpy() == table[_COLUMNS].to_numpy()).all():
        return None
    return shipped
