"""Rows of a manifest that name whole volumes → one row per slice."""

import os
from pathlib import Path

import pandas as pd

from brain_tumor.data.filenames import patient_of
from brain_tumor.data.reading import format_of, source_file
from brain_tumor.data.samples import samples_table
from brain_tumor.data.volumes import VOLUMES, Row, Slicing, nifti_rows, scan_rows, series_rows
from brain_tumor.errors import DataError


def expanded(samples: pd.DataFrame, home: Path, slicing: Slicing) -> pd.DataFrame:
    """Replace each row that names a volume, or a folder that is one DICOM series, by rows that name its slices.

    What a row says (patient, source, plane, split, …) holds for all of its slices; where it says nothing, what the file
    tells does. Slices of one NIfTI file are of one patient even then. A mask that is a NIfTI volume is cut alike.

    Args:
        samples: A samples table with whole paths.
        home: Folder of the manifest.
        slicing: Which slices to take.

    Raises:
        DataError: A folder is no DICOM series or holds several, or no slice of a volume is taken.
    """
    rows: list[Row] = []
    for row in samples.to_dict("records"):
        known = {str(key): str(value) for key, value in row.items()}
        rows += [_merged(known, found) for found in _found(known, home, slicing)]
    return samples_table(rows)


def _found(row: Row, home: Path, slicing: Slicing) -> list[Row]:
    path = Path(row["path"])
    if path.is_dir():
        found = series_rows(path, slicing)
    elif source_file(row["path"]) != path or format_of(path) not in VOLUMES:
        return [row]
    elif format_of(path) == "nifti":
        place = Path(os.path.relpath(path.parent, home))
        found = nifti_rows(path, (place / patient_of(path, path.parent)).as_posix(), slicing)
    else:
        found = scan_rows([path], path.parent, slicing)
    if not found:
        raise DataError(f"data.slices={slicing.policy} takes no slice of {path}; take others or remove its row.")
    return found


def _merged(row: Row, found: Row) -> Row:
    told = {key: value for key, value in row.items() if value}
    merged = {**found, **told, "path": found["path"]}
    if found["path"] != row["path"]:
        part = found["path"].removeprefix(row["path"]).lstrip("/\\#")
        is_file = found["path"].startswith(row["path"] + "#")
        merged["sample_id"] = f"{row['sample_id']}{'#' if is_file else '/'}{part}"
        mask = row.get("mask_path", "")
        if is_file and mask and source_file(mask) == Path(mask) and format_of(Path(mask)) == "nifti":
            merged["mask_path"] = f"{mask}#{part}"
    return merged
