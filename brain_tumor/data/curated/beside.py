"""Groups that lie beside the data: ``groups.csv``, keyed by path."""

import logging
import os
from collections.abc import Container
from pathlib import Path

import pandas as pd

from brain_tumor.data.curated.curation import Curation
from brain_tumor.data.curated.shipped import curated
from brain_tumor.data.curated.written import FILE, read_groups, whole_path
from brain_tumor.data.reading import source_file
from brain_tumor.errors import DataError

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
