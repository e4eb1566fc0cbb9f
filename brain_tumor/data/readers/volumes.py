"""Files of a class folder become rows of the samples table: a volume becomes some slices of one patient."""

import logging
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import track

from brain_tumor.data.readers.reading import format_of
from brain_tumor.data.readers.slices import SlicePolicy, remembered, slice_policy
from brain_tumor.errors import DataError, require

if TYPE_CHECKING:
    from brain_tumor.data.readers.series import Slice

_SUFFIX = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_MASK = re.compile(r"(^|[-_.])(seg|segmentation|mask|label|labels)$", re.IGNORECASE)
_MODALITY = re.compile(r"[-_](t1|t1c|t1ce|t1n|t1gd|t1w|t2|t2f|t2w|flair|pd|pdw|dwi|adc|swi|0\d{3})$", re.IGNORECASE)
_SUBJECT = re.compile(r"^(sub-[^-_]+)_")


def is_mask(file: Path) -> bool:
    """Is this a segmentation rather than a scan?

    >>> is_mask(Path("BraTS-GLI-00000-000-seg.nii.gz"))
    True
    """
    return bool(_MASK.search(_SUFFIX.sub("", file.name)))


def patient_of(file: Path, home: Path) -> str:
    """The patient: the sub-folder of ``home`` that a file lies in, else its name without the modality's ending.

    >>> patient_of(Path("glioma/p7/t1.nii.gz"), Path("glioma"))
    'p7'
    >>> patient_of(Path("glioma/sub-01_ses-2_T1w.nii"), Path("glioma"))
    'sub-01'
    >>> patient_of(Path("glioma/BraTS20_Training_001_flair.nii.gz"), Path("glioma"))
    'BraTS20_Training_001'
    """
    folders = file.relative_to(home).parts[:-1]
    if folders:
        return folders[0]
    stem = _SUFFIX.sub("", file.name)
    subject = _SUBJECT.match(stem)
    return subject[1] if subject else _MODALITY.sub("", stem)


Row = dict[str, str]
log = logging.getLogger(__name__)

PLANES = ("axial", "coronal", "sagittal")
VOLUMES = ("dicom", "nifti")
"""Formats whose files hold slices of a volume."""


@dataclass(frozen=True)
class Slicing:
    """How volumes are cut: which slices, of NIfTI volumes in which plane, and where areas are remembered."""

    policy: SlicePolicy
    plane: str = "axial"
    cache_dir: Path | None = None

    @staticmethod
    def parse(slices: str, plane: str, cache_dir: str | Path | None = None) -> "Slicing":
        """Read the settings.

        Raises:
            ConfigError: One of them is invalid.
        """
        require(plane in PLANES, f"data.plane={plane}", "one of " + ", ".join(PLANES))
        return Slicing(slice_policy(slices), plane, Path(cache_dir).expanduser() if cache_dir else None)


def scan_rows(files: Sequence[Path], home: Path, slicing: Slicing) -> list[Row]:
    """Rows ``path`` (a reference) and, where known, ``patient_id, source, plane`` of the files below ``home``.

    Images are taken as they are. NIfTI volumes: the patient is the sub-folder of ``home`` they lie in, else their
    name without a modality's ending (``sub-01_T1w`` → ``sub-01``); masks (``…seg``, ``…mask``) are left out. DICOM
    files are put together to series; `series.slices_of` says what the patient is. A file that cannot be read is a row
    of its own, so that whoever reads it later tells.
    """
    kinds = {file: format_of(file) for file in files}
    rows = [{"path": str(file)} for file, kind in kinds.items() if kind not in VOLUMES]
    niftis = [file for file, kind in kinds.items() if kind == "nifti"]
    scans = [file for file in niftis if not is_mask(file)]
    if len(scans) < len(niftis):
        log.info("%s: %d files are left out as masks by their names", home, len(niftis) - len(scans))
    dicoms = [file for file, kind in kinds.items() if kind == "dicom"]
    rows += _every(lambda file: nifti_rows(file, patient_of(file, home), slicing), scans)
    return rows + (_dicom_rows(dicoms, slicing) if dicoms else [])


def series_rows(folder: Path, slicing: Slicing) -> list[Row]:
    """Rows of a folder that is one DICOM series, as `scan_rows`; other files in it are passed over.

    Raises:
        DataError: It holds no DICOM files, or files of several series.
    """
    from brain_tumor.data.readers import series

    files = sorted(file for file in folder.iterdir() if file.is_file() and format_of(file) == "dicom")
    slices, rows = _read_headers(files)
    found = len({each.series for each in slices})
    if found > 1 or not files:
        raise DataError(f"{folder} holds {found} DICOM series; name a folder that holds exactly one, or its files.")
    return rows + [row for group in series.sorted_series(slices) for row in _group_rows(group, slicing)]


def _every(rows_of: Callable[[Path], list[Row]], files: Sequence[Path]) -> list[Row]:
    if not files:
        return []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # unpacking .gz runs side by side
        found = track(pool.map(rows_of, files), "Choosing slices", len(files), transient=True)
        return [row for rows in found for row in rows]


def nifti_rows(file: Path, patient: str, slicing: Slicing) -> list[Row]:
    """Rows of one NIfTI file, whatever its name, as `scan_rows`."""
    from brain_tumor.data.readers import nifti

    common = {"patient_id": patient}
    try:
        layout = nifti.layout(file)
        if layout.single:
            return [{**common, "path": str(file), "plane": layout.single}]
        count = layout.shape[nifti.PLANES.index(slicing.plane)]
        chosen = slicing.policy.choose(
            count,
            lambda: remembered(slicing.cache_dir, [file], slicing.plane, lambda: nifti.areas(file, slicing.plane)),
        )
    except DataError:
        return [{**common, "path": str(file)}]
    _tell_if_missing(file, count, chosen)
    return [{**common, "path": f"{file}#{slicing.plane}:{index}", "plane": slicing.plane} for index in chosen]


def _dicom_rows(files: Sequence[Path], slicing: Slicing) -> list[Row]:
    from brain_tumor.data.readers import series

    slices, rows = _read_headers(files)
    for group in track(series.sorted_series(slices), "Choosing slices", transient=True):
        rows += _group_rows(group, slicing)
    return rows


def _read_headers(files: Sequence[Path]) -> tuple[list["Slice"], list[Row]]:
    """All slices of some DICOM files, and rows of those that cannot be read."""
    from brain_tumor.data.readers import series

    slices: list[Slice] = []
    rows: list[Row] = []
    for file in track(files, "Reading DICOM headers", transient=True):
        try:
            slices += series.slices_of(file)
        except DataError:
            rows.append({"path": str(file)})
    return slices, rows


def _group_rows(group: Sequence["Slice"], slicing: Slicing) -> list[Row]:
    from brain_tumor.data.readers import series

    areas: list[float] = []

    def measured() -> list[float]:
        key = " ".join(each.reference for each in group)
        areas.extend(remembered(slicing.cache_dir, [each.file for each in group], key, lambda: series.areas(group)))
        return [area if area == area else -1.0 for area in areas]

    chosen = slicing.policy.choose(len(group), measured)
    _tell_if_missing(group[0].file.parent, len(group), chosen)
    damaged = {number for number, area in enumerate(areas) if area != area}
    return [
        {"path": each.reference, "patient_id": each.patient_id, "plane": each.plane, "source": each.source}
        for each in (group[number] for number in sorted({*chosen, *damaged}))
    ]


def _tell_if_missing(place: Path, count: int, chosen: Sequence[int]) -> None:
    if not chosen:
        log.warning("%s: of a volume of %d slices data.slices takes none", place, count)
