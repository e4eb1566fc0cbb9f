"""Adapters from files on disk to a samples table: a folder of class folders, or a CSV manifest."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brain_tumor.data.class_folders import (
    SPLIT_NAMES,
    list_class_folders,
    nothing_taken,
    require_classes_alone,
    skip_wrappers,
    split_of_folder,
    subfolders,
)
from brain_tumor.data.labels import normalise_label
from brain_tumor.data.listing import Listing
from brain_tumor.data.readers.patient_names import patient_from_path
from brain_tumor.data.readers.reading import FORMATS, format_of, source_file
from brain_tumor.data.readers.volumes import (
    VOLUME_FORMATS,
    Row,
    ScanRules,
    Scans,
    find_scans,
    nifti_scans,
    series_scans,
)
from brain_tumor.data.samples import SPLITS, read_table, samples_table
from brain_tumor.errors import DataError

_MISSING = ("", "nan", "NaN", "NAN", "None", "NONE", "null", "NULL", "NA", "N/A", "n/a", "na", "<NA>", "?", "-")
"""Words that stand for no label; ``none`` in lower case names healthy scans."""


def folder(
    root: str | Path,
    slices: str = "largest:1",
    plane: str | None = None,
    cache_dir: str | Path | None = None,
    modalities: Sequence[str] = ("MR",),
    derived: bool = False,
    patient: str = "id",
) -> Listing:
    """List the samples of class folders, which are directly in ``root`` or in its split folders.

    Split folders are Training/Testing or train/val/test, in any case, also as training_set or TestImages. Folders that
    contain nothing but one folder are skipped; images may lie at any depth below their class. Volumes (NIfTI, DICOM)
    become slices of one patient each, see `brain_tumor.data.readers.volumes.find_scans`.

    Args:
        root: Folder of the data set.
        slices: Slices of a volume: largest:N, every:N, index:I,J or all (`slices.parse_slice_policy`).
        plane: Plane of all slices; None: NIfTI volumes are cut axially, DICOM slices are taken as acquired.
        cache_dir: Folder in which the tissue areas of slices are cached, None for no cache.
        modalities: Modalities of DICOM files that are taken, or ``any``.
        derived: Whether localizers and computed images in DICOM files are taken, too.
        patient: What tells the patients of DICOM files apart: id, study or file.

    Raises:
        DataError: The folder is missing or contains no images, a class folder is empty, or its folders cannot be told
            apart into classes and splits.
        ConfigError: An invalid argument.
    """
    rules = ScanRules.parse(slices, plane, cache_dir, modalities, derived, patient)
    top = skip_wrappers(_existing_folder(root))
    split_folders = {child: split for child in subfolders(top) if (split := split_of_folder(child.name))}
    if not split_folders:
        require_classes_alone(top)
    class_folders = {
        class_folder: split
        for parent, split in split_folders.items() or [(top, "")]
        for class_folder in subfolders(skip_wrappers(parent) if split else parent)
    }
    listing = list_class_folders(class_folders, top, rules)
    if listing.samples.empty:
        raise DataError(
            f"{root} holds no class folders with images; expected {root}/<class>/*.jpg or "
            f"{root}/Training/<class>/*.jpg ({', '.join(sorted(FORMATS))}, or DICOM of any name)."
        )
    return listing


def manifest(
    manifest: str | Path,
    slices: str = "largest:1",
    plane: str | None = None,
    cache_dir: str | Path | None = None,
    modalities: Sequence[str] = ("MR",),
    derived: bool = False,
    patient: str = "id",
) -> Listing:
    """List the samples of a CSV with the columns ``path`` and ``label``, and any other of the samples table.

    Relative paths (of images and masks) start at the folder of the CSV; ``sample_id`` is the path as written unless
    given. A path may name an image, one slice (``scan.nii.gz#axial:57``), or a volume or a folder of one DICOM series,
    which is expanded into the selected slices, each with the other columns of the row.

    Args:
        manifest: Path of the CSV.
        slices: Slices of a volume, as in `folder`.
        plane: Plane of the slices of volumes, as in `folder`.
        cache_dir: Folder in which the tissue areas of slices are cached, None for no cache.
        modalities: Modalities of DICOM files, as in `folder`.
        derived: Localizers and computed images, as in `folder`.
        patient: Patients of DICOM files, as in `folder`.

    Raises:
        DataError: The CSV is missing or empty, lacks a column or a label, has a split other than train, val and test,
            or names files that do not exist.
        ConfigError: An invalid argument.
    """
    rules = ScanRules.parse(slices, plane, cache_dir, modalities, derived, patient)
    home = Path(manifest).resolve().parent
    samples = complete_samples(read_table(manifest), str(manifest), home)
    return _expand_volumes(samples, home, rules)


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
        ~samples["label"].str.strip().isin(_MISSING),
        f"{source}: {{n}} rows have no label (empty, or a word for missing such as NaN or None), first {{first}}; give "
        "each row its class; that of healthy scans is no_tumor.",
    )
    samples["label"] = samples["label"].map(normalise_label)
    samples["split"] = samples["split"].str.strip().str.lower().replace(SPLIT_NAMES)
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


def _expand_volumes(samples: pd.DataFrame, home: Path, rules: ScanRules) -> Listing:
    """Replace each row of a volume, or of a folder of one DICOM series, by one row per selected slice.

    The values of a row (patient, source, plane, split, …) apply to all its slices; empty ones are filled from the
    file. Without a ``patient_id``, all slices of a NIfTI file have the same one. A mask that is a NIfTI volume is
    sliced in the same way.

    Args:
        samples: Samples table with absolute paths.
        home: Folder of the manifest.
        rules: Which slices are taken.

    Raises:
        DataError: A folder does not contain exactly one DICOM series, or nothing of a volume is taken.
    """
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    for record in samples.to_dict("records"):
        row = {str(key): str(value) for key, value in record.items()}
        scans = _scans_of_row(row, home, rules)
        left_out |= scans.left_out
        rows += [_merge(row, slice_row) for slice_row in scans.rows]
    return Listing(samples_table(rows), left_out)


def _scans_of_row(row: Row, home: Path, rules: ScanRules) -> Scans:
    path = Path(row["path"])
    if path.is_dir():
        scans = series_scans(path, rules)
    elif source_file(row["path"]) != path or format_of(path) not in VOLUME_FORMATS:
        return Scans([row], {}, {})
    elif format_of(path) == "nifti":
        relative_folder = Path(os.path.relpath(path.parent, home))
        patient = (relative_folder / patient_from_path(path, path.parent)).as_posix()
        scans = nifti_scans(path, os.path.relpath(path, home), patient, rules, labels_too=True)
    else:
        scans = find_scans([path], path.parent, rules)
    if not scans.rows:
        raise DataError(nothing_taken(str(path), scans, rules))
    return scans


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
