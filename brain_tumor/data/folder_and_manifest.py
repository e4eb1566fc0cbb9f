"""Adapters from files on disk to a samples table: a folder of class folders, or a CSV manifest."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brain_tumor.data.labels import normalise_label
from brain_tumor.data.readers.reading import FORMATS, format_of, is_scan, source_file
from brain_tumor.data.readers.volumes import (
    VOLUME_FORMATS,
    Row,
    Slicing,
    nifti_rows,
    patient_from_path,
    scan_rows,
    series_rows,
)
from brain_tumor.data.samples import SPLITS, read_table, samples_table
from brain_tumor.errors import DataError

_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def folder(
    root: str | Path, slices: str = "largest:1", plane: str = "axial", cache_dir: str | Path | None = None
) -> pd.DataFrame:
    """List the samples of class folders, which are directly in ``root`` or in its split folders.

    Split folders are Training/Testing or train/val/test, in any case. Folders that contain nothing but one folder are
    skipped; images may lie at any depth below their class. Volumes (NIfTI, DICOM) become slices of one patient each,
    see `brain_tumor.data.readers.volumes.scan_rows`.

    Args:
        root: Folder of the data set.
        slices: Slices of a volume: largest:N, every:N, index:I,J or all (`slices.parse_slice_policy`).
        plane: Plane of the slices of NIfTI volumes; DICOM slices keep the plane they were acquired in.
        cache_dir: Folder in which the tissue areas of slices are cached, None for no cache.

    Raises:
        DataError: The folder is missing or contains no images, or a class folder is empty.
        ConfigError: Invalid ``slices`` or ``plane``.
    """
    slicing = Slicing.parse(slices, plane, cache_dir)
    top = _skip_wrappers(_existing_folder(root))
    split_folders = {
        child: _SPLIT_NAMES[child.name.lower()] for child in _subfolders(top) if child.name.lower() in _SPLIT_NAMES
    }
    rows = []
    for parent, split in split_folders.items() or [(top, "")]:
        for class_folder in _subfolders(_skip_wrappers(parent) if split else parent):
            rows += _class_rows(class_folder, top, split, slicing)
    if not rows:
        raise DataError(
            f"{root} holds no class folders with images; expected {root}/<class>/*.jpg or "
            f"{root}/Training/<class>/*.jpg ({', '.join(sorted(FORMATS))}, or DICOM of any name)."
        )
    return samples_table(rows)


def manifest(
    manifest: str | Path, slices: str = "largest:1", plane: str = "axial", cache_dir: str | Path | None = None
) -> pd.DataFrame:
    """List the samples of a CSV with the columns ``path`` and ``label``, and any other of the samples table.

    Relative paths (of images and masks) start at the folder of the CSV; ``sample_id`` is the path as written unless
    given. A path may name an image, one slice (``scan.nii.gz#axial:57``), or a volume or a folder of one DICOM series,
    which is expanded into the selected slices, each with the other columns of the row.

    Args:
        manifest: Path of the CSV.
        slices: Slices of a volume, as in `folder`.
        plane: Plane of the slices of NIfTI volumes, as in `folder`.
        cache_dir: Folder in which the tissue areas of slices are cached, None for no cache.

    Raises:
        DataError: The CSV is missing or empty, lacks a column or a label, has a split other than train, val and test,
            or names files that do not exist.
        ConfigError: Invalid ``slices`` or ``plane``.
    """
    slicing = Slicing.parse(slices, plane, cache_dir)
    home = Path(manifest).resolve().parent
    samples = complete_samples(read_table(manifest), str(manifest), home)
    return _expand_volumes(samples, home, slicing)


def complete_samples(table: pd.DataFrame, source: str, home: Path) -> pd.DataFrame:
    """Check a table of somebody else and make it a samples table.

    Args:
        table: One row per image, with ``path`` and ``label`` and any other column of the samples table.
        source: Where the table comes from, for messages.
        home: Folder that relative paths start at.

    Raises:
        DataError: The table is empty, lacks a column or a label, has a split other than train, val and test, or names
            files that do not exist.
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"{source} is a {type(table).__name__}: expected a pandas DataFrame with one row per image.")
    missing = [column for column in ("path", "label") if column not in table.columns]
    if missing:
        raise DataError(
            f"{source} has no column {' and no column '.join(missing)}; it has {', '.join(map(str, table.columns))}. "
            "Expected: path, label and, where known, patient_id, source, plane, mask_path, split, group, fold."
        )
    if table.empty:
        raise DataError(f"{source} has no rows; expected one row per image.")
    table = table.astype(object).fillna("").astype(str)
    if "sample_id" not in table.columns:
        table["sample_id"] = table["path"]
    table["path"] = [str(home / path) for path in table["path"]]
    if "mask_path" in table.columns:
        table["mask_path"] = [str(home / mask) if mask else "" for mask in table["mask_path"]]
    samples = samples_table(table)
    _require_all(
        samples,
        samples["label"].str.strip() != "",
        f"{source}: {{n}} rows have no label, first {{first}}; give each row its class.",
    )
    samples["label"] = samples["label"].map(normalise_label)
    samples["split"] = samples["split"].str.strip().str.lower().replace(_SPLIT_NAMES)
    _require_all(
        samples,
        samples["split"].isin(("", *SPLITS)),
        f"{source}: {{n}} rows have an invalid split, first {{first}}; expected train, val, test or nothing.",
    )
    _require_all(
        samples,
        samples["path"].map(lambda path: source_file(path).is_file() or Path(path).is_dir()),
        f"{source}: {{n}} of {len(samples)} files do not exist, first {{first}}; expected absolute paths, or paths "
        f"relative to {home}.",
    )
    return samples


def _require_all(samples: pd.DataFrame, valid: "pd.Series[bool]", message: str) -> None:
    """Raise a `DataError` with the number of invalid rows (``{n}``) and the first of them (``{first}``)."""
    invalid = samples["sample_id"][~valid.astype(bool)]
    if len(invalid):
        raise DataError(message.format(n=len(invalid), first=invalid.iloc[0]))


def _expand_volumes(samples: pd.DataFrame, home: Path, slicing: Slicing) -> pd.DataFrame:
    """Replace each row of a volume, or of a folder of one DICOM series, by one row per selected slice.

    The values of a row (patient, source, plane, split, …) apply to all its slices; empty ones are filled from the
    file. Without a ``patient_id``, all slices of a NIfTI file have the same one. A mask that is a NIfTI volume is
    sliced in the same way.

    Args:
        samples: Samples table with absolute paths.
        home: Folder of the manifest.
        slicing: Settings for volumes.

    Raises:
        DataError: A folder does not contain exactly one DICOM series, or no slice of a volume is selected.
    """
    rows: list[Row] = []
    for record in samples.to_dict("records"):
        row = {str(key): str(value) for key, value in record.items()}
        rows += [_merge(row, slice_row) for slice_row in _slice_rows(row, home, slicing)]
    return samples_table(rows)


def _slice_rows(row: Row, home: Path, slicing: Slicing) -> list[Row]:
    path = Path(row["path"])
    if path.is_dir():
        rows = series_rows(path, slicing)
    elif source_file(row["path"]) != path or format_of(path) not in VOLUME_FORMATS:
        return [row]
    elif format_of(path) == "nifti":
        relative_folder = Path(os.path.relpath(path.parent, home))
        rows = nifti_rows(path, (relative_folder / patient_from_path(path, path.parent)).as_posix(), slicing)
    else:
        rows = scan_rows([path], path.parent, slicing)
    if not rows:
        raise DataError(f"data.slices={slicing.policy} selects no slice of {path}; select others or remove its row.")
    return rows


def _merge(row: Row, slice_row: Row) -> Row:
    """Complete a slice with the values of the manifest's row, and make its ``sample_id`` unique."""
    given = {key: value for key, value in row.items() if value}
    merged = {**slice_row, **given, "path": slice_row["path"]}
    if slice_row["path"] != row["path"]:
        suffix = slice_row["path"].removeprefix(row["path"]).lstrip("/\\#")
        is_file = slice_row["path"].startswith(row["path"] + "#")
        merged["sample_id"] = f"{row['sample_id']}{'#' if is_file else '/'}{suffix}"
        mask = row.get("mask_path", "")
        if is_file and mask and source_file(mask) == Path(mask) and format_of(Path(mask)) == "nifti":
            merged["mask_path"] = f"{mask}#{suffix}"
    return merged


def _existing_folder(root: str | Path) -> Path:
    path = Path(root).expanduser()
    if not path.is_dir():
        raise DataError(
            f"data.root={root} is {'a file' if path.exists() else 'missing'}; expected a folder of class folders."
        )
    return path.resolve()


def _subfolders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith((".", "__")))


def _skip_wrappers(path: Path) -> Path:
    """Descend through folders that contain nothing but one other folder, as unpacked archives often do."""
    children = _subfolders(path)
    while len(children) == 1 and _subfolders(children[0]):
        path, children = children[0], _subfolders(children[0])
    return path


def _class_rows(class_folder: Path, top: Path, split: str, slicing: Slicing) -> list[Row]:
    images = list(image_files(class_folder))
    if not images:
        raise DataError(f"The class folder {class_folder} holds no images; add some or remove it.")
    for path in images:
        if os.fsencode(path) != str(path).encode(errors="replace"):
            raise DataError(f"The file name {str(path)!r} is not UTF-8 text; rename the file.")
    rows = scan_rows(images, class_folder, slicing)
    if not rows:
        raise DataError(f"data.slices={slicing.policy} selects no slice of the scans in {class_folder}; select others.")
    common = {"label": normalise_label(class_folder.name), "split": split}
    return [{**row, **common, "sample_id": Path(row["path"]).relative_to(top).as_posix()} for row in rows]


def image_files(folder: Path) -> Iterator[Path]:
    """Yield the images at any depth below a folder, following links; hidden files and repeated folders are skipped."""
    visited: set[Path] = set()
    for parent, children, names in os.walk(folder, followlinks=True):
        visited.add(Path(parent).resolve())
        children[:] = [
            child for child in children if not child.startswith(".") and Path(parent, child).resolve() not in visited
        ]
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        yield from (path for path in paths if is_scan(path) and path.is_file())
