"""From files to rows of the samples table; a volume (NIfTI, DICOM) becomes one row per selected slice."""

import logging
import math
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import track

from brain_tumor.data.readers.reading import format_of
from brain_tumor.data.readers.slices import PLANES, SlicePolicy, cached_areas, parse_slice_policy
from brain_tumor.errors import DataError, require

if TYPE_CHECKING:
    from brain_tumor.data.readers.dicom_series import SliceHeader

VOLUME_FORMATS = ("dicom", "nifti")
"""Formats whose files contain slices of a volume."""

Row = dict[str, str]
log = logging.getLogger(__name__)

_SUFFIX = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_MASK = re.compile(r"(^|[-_.])(seg|segmentation|mask|label|labels)$", re.IGNORECASE)
_MODALITY = re.compile(r"[-_](t1|t1c|t1ce|t1n|t1gd|t1w|t2|t2f|t2w|flair|pd|pdw|dwi|adc|swi|0\d{3})$", re.IGNORECASE)
_SUBJECT = re.compile(r"^(sub-[^-_]+)_")


@dataclass(frozen=True)
class Slicing:
    """How volumes are sliced."""

    policy: SlicePolicy
    """Which slices are selected."""
    plane: str = "axial"
    """Plane of the slices of NIfTI volumes; DICOM slices keep the plane they were acquired in."""
    cache_dir: Path | None = None
    """Folder in which tissue areas are cached, None for no cache."""

    @staticmethod
    def parse(slices: str, plane: str, cache_dir: str | Path | None = None) -> "Slicing":
        """Build from the settings ``data.slices``, ``data.plane`` and ``paths.cache_dir``.

        Raises:
            ConfigError: A setting is invalid.
        """
        require(plane in PLANES, f"data.plane={plane}", "one of " + ", ".join(sorted(PLANES)))
        return Slicing(parse_slice_policy(slices), plane, Path(cache_dir).expanduser() if cache_dir else None)


def scan_rows(files: Sequence[Path], home: Path, slicing: Slicing) -> list[Row]:
    """Return rows ``path`` (a reference) and, where known, ``patient_id, source, plane`` of files below ``home``.

    Ordinary images are one row each. NIfTI volumes: ``patient_id`` comes from the path (`patient_from_path`), and
    files whose names mark them as masks are left out. DICOM files are grouped into series;
    `dicom_series.read_slice_headers` defines their ``patient_id``. A file that cannot be read becomes a row, so that
    the error is reported when it is decoded.

    Args:
        files: Files to list.
        home: Folder that contains the files.
        slicing: Settings for volumes.
    """
    formats = {file: format_of(file) for file in files}
    rows = [{"path": str(file)} for file, kind in formats.items() if kind not in VOLUME_FORMATS]
    niftis = [file for file, kind in formats.items() if kind == "nifti"]
    volumes = [file for file in niftis if not is_mask(file)]
    if len(volumes) < len(niftis):
        log.info("%s: %d files left out (their names mark them as masks)", home, len(niftis) - len(volumes))
    if volumes:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decompresses several .gz files at a time
            found = pool.map(lambda file: nifti_rows(file, patient_from_path(file, home), slicing), volumes)
            for volume_rows in track(found, "Choosing slices", len(volumes), transient=True):
                rows += volume_rows
    dicoms = [file for file, kind in formats.items() if kind == "dicom"]
    return rows + (_dicom_rows(dicoms, slicing) if dicoms else [])


def nifti_rows(file: Path, patient: str, slicing: Slicing) -> list[Row]:
    """Return the rows of one NIfTI file, as `scan_rows` does, whatever its name.

    Args:
        file: Path of the file.
        patient: Value of ``patient_id``.
        slicing: Settings for volumes.
    """
    from brain_tumor.data.readers import nifti

    plane = slicing.plane
    try:
        layout = nifti.read_layout(file)
        if layout.single_slice_plane:
            return [{"patient_id": patient, "path": str(file), "plane": layout.single_slice_plane}]
        count = layout.shape[PLANES.index(plane)]
        chosen = slicing.policy.choose(
            count, lambda: cached_areas(slicing.cache_dir, [file], plane, lambda: nifti.tissue_areas(file, plane))
        )
    except DataError:
        return [{"patient_id": patient, "path": str(file)}]
    _warn_if_empty(file, count, chosen)
    return [{"patient_id": patient, "path": f"{file}#{plane}:{index}", "plane": plane} for index in chosen]


def series_rows(folder: Path, slicing: Slicing) -> list[Row]:
    """Return the rows of a folder that contains one DICOM series, as `scan_rows` does; other files are ignored.

    Raises:
        DataError: The folder contains no DICOM file, or files of several series.
    """
    from brain_tumor.data.readers import dicom_series

    files = sorted(file for file in folder.iterdir() if file.is_file() and format_of(file) == "dicom")
    headers, rows = _read_headers(files)
    count = len({header.series for header in headers})
    if count > 1 or not files:
        raise DataError(
            f"{folder} contains {count} DICOM series; expected exactly one; name another folder or single files."
        )
    return rows + [row for series in dicom_series.group_into_series(headers) for row in _series_rows(series, slicing)]


def _dicom_rows(files: Sequence[Path], slicing: Slicing) -> list[Row]:
    from brain_tumor.data.readers import dicom_series

    headers, rows = _read_headers(files)
    for series in track(dicom_series.group_into_series(headers), "Choosing slices", transient=True):
        rows += _series_rows(series, slicing)
    return rows


def _read_headers(files: Sequence[Path]) -> tuple[list["SliceHeader"], list[Row]]:
    """Return the slices of all readable DICOM files, and a row for each other file."""
    from brain_tumor.data.readers import dicom_series

    headers: list[SliceHeader] = []
    rows: list[Row] = []
    for file in track(files, "Reading DICOM headers", transient=True):
        try:
            headers += dicom_series.read_slice_headers(file)
        except DataError:
            rows.append({"path": str(file)})
    return headers, rows


def _series_rows(series: Sequence["SliceHeader"], slicing: Slicing) -> list[Row]:
    """Return the rows of the selected slices of a series, and of those that turned out to be unreadable."""
    from brain_tumor.data.readers import dicom_series

    areas: list[float] = []

    def measure_areas() -> list[float]:
        key = " ".join(header.reference for header in series)
        files = [header.file for header in series]
        areas.extend(cached_areas(slicing.cache_dir, files, key, lambda: dicom_series.tissue_areas(series)))
        return [-1.0 if math.isnan(area) else area for area in areas]

    chosen = slicing.policy.choose(len(series), measure_areas)
    _warn_if_empty(series[0].file.parent, len(series), chosen)
    unreadable = {number for number, area in enumerate(areas) if math.isnan(area)}
    return [
        {"path": header.reference, "patient_id": header.patient_id, "plane": header.plane, "source": header.source}
        for header in (series[number] for number in sorted({*chosen, *unreadable}))
    ]


def _warn_if_empty(volume: Path, count: int, chosen: Sequence[int]) -> None:
    if not chosen:
        log.warning("%s: data.slices selects none of %d slices", volume, count)


def is_mask(file: Path) -> bool:
    """Return whether the name of a NIfTI file marks it as a segmentation mask.

    >>> is_mask(Path("BraTS-GLI-00000-000-seg.nii.gz"))
    True
    """
    return bool(_MASK.search(_SUFFIX.sub("", file.name)))


def patient_from_path(file: Path, home: Path) -> str:
    """Return the patient of a NIfTI file: its sub-folder of ``home``, or else its name without the modality.

    >>> patient_from_path(Path("glioma/p7/t1.nii.gz"), Path("glioma"))
    'p7'
    >>> patient_from_path(Path("glioma/sub-01_ses-2_T1w.nii"), Path("glioma"))
    'sub-01'
    >>> patient_from_path(Path("glioma/BraTS20_Training_001_flair.nii.gz"), Path("glioma"))
    'BraTS20_Training_001'
    """
    folders = file.relative_to(home).parts[:-1]
    if folders:
        return folders[0]
    stem = _SUFFIX.sub("", file.name)
    subject = _SUBJECT.match(stem)
    return subject[1] if subject else _MODALITY.sub("", stem)
