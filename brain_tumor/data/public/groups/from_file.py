"""Read ``groups.csv`` beside the data: groups, folds and patients keyed by path."""

import logging
import os
from collections.abc import Container
from pathlib import Path

import pandas as pd

from brain_tumor.data.public.groups.shipped import Curation, curated
from brain_tumor.data.readers.reading import source_file
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


SOURCE = f"{FILE} beside the data"
_UNKNOWN = f"As {FILE} beside the data says, which does not tell how its groups were made."
_COLUMNS = ["patient_id", "group", "fold"]
log = logging.getLogger(__name__)


def beside(samples: pd.DataFrame, root: Path) -> Curation | None:
    """What a ``groups.csv`` beside the data says of these samples.

    It is looked for in ``root`` and in the wrapper folders between it and the images; the topmost counts. A file goes
    by its exact path or, if the CSV has no such path, by its path without the last suffix: re-encoded data have
    ``scan.tif.jpg`` for the ``scan.tif`` of the CSV. Rows of files that are not there are ignored, and counted in the
    log; files that have no row stay empty.

    Args:
        samples: A samples table.
        root: Folder of the data, or the manifest.

    Returns:
        None if there is no such file.

    Raises:
        DataError: The CSV cannot be used (`read_groups`), or names none of the images.
    """
    file = _groups_file(samples["path"].tolist(), root.expanduser())
    if file is None:
        return None
    written = read_groups(file)
    keys = [_key(path, written.index) for path in samples["path"]]
    used = set(keys) - {""}
    if not used:
        raise DataError(
            f"{file} names {len(written)} files, but none of the {len(samples)} images; its paths start at its folder: "
            "mend them, or rename it if it is of other data."
        )
    if absent := len(written) - len(used):
        log.info("%s: %d of its %d rows are of no image of these data", file, absent, len(written))
    rows = written[_COLUMNS].reindex(keys).fillna("").set_axis(samples.index)
    folds = pd.to_numeric(written["fold"][written["fold"] != ""])
    same = _shipped(written)
    return Curation(
        rows,
        int(folds.max()) + 1 if len(folds) else 0,
        SOURCE,
        same.sets if same else tuple(sorted(set(samples["source"]) - {""})),
        same.how if same else _UNKNOWN,
    )


def _groups_file(paths: list[str], root: Path) -> Path | None:
    """The topmost ``groups.csv`` from ``root`` down to the folder that all images have in common."""
    home = (root.parent if root.is_file() else root).resolve()
    common = Path(os.path.commonpath({os.path.dirname(whole_path(source_file(path))) for path in paths}))  # noqa: PTH120 - thousands of paths
    below = common.relative_to(home).parts if common.is_relative_to(home) else ()
    folders = [home.joinpath(*below[:depth]) for depth in range(len(below) + 1)]
    manifest = root.resolve()  # may itself be named so
    return next((file for folder in folders if (file := folder / FILE).is_file() and file != manifest), None)


def _key(path: str, known: Container[str]) -> str:
    """Under which path the CSV knows a sample, one slice of a volume included; empty if it does not."""
    whole = whole_path(path)
    if whole in known:
        return whole
    file = whole_path(source_file(path))
    return next((candidate for candidate in (file, os.path.splitext(file)[0]) if candidate in known), "")  # noqa: PTH122


def _shipped(written: pd.DataFrame) -> Curation | None:
    """The shipped groups, if the CSV says of all its original files what they say: then it is known how it was made."""
    same = curated(written.assign(source=""))
    return same if same and (same.rows.to_numpy() == written[_COLUMNS].to_numpy()).all() else None
