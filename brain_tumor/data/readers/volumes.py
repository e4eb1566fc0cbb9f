"""From files to rows of the samples table; a volume (NIfTI, DICOM) becomes one row per selected slice."""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from brain_tumor.data.progress import progress
from brain_tumor.data.readers.mask_files import is_mask, pair_masks
from brain_tumor.data.readers.memory import File
from brain_tumor.data.readers.patient_names import patient_from_path
from brain_tumor.data.readers.reading import format_of, source_file
from brain_tumor.data.readers.slices import PLANES, SlicePolicy, cached_areas, parse_slice_policy
from brain_tumor.errors import DataError, require

if TYPE_CHECKING:
    from brain_tumor.data.readers.dicom_series import SliceHeader

VOLUME_FORMATS = ("dicom", "nifti")
"""Formats whose files contain slices of a volume."""
PATIENT_KEYS = ("id", "study", "file")
"""What tells the patients of DICOM files apart: PatientID, StudyInstanceUID, or the file itself."""
NOT_CHOSEN = "slice not chosen by data.slices"
MASK = "mask without an image"

Row = dict[str, str]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScanRules:
    """Which files are taken as scans, and how volumes are sliced."""

    policy: SlicePolicy
    """Which slices are selected."""
    plane: str = ""
    """Plane of all slices: NIfTI volumes are cut in it, DICOM series and single slices in another are left out. Empty:
    NIfTI volumes are cut axially, DICOM slices are taken as acquired."""
    cache_dir: Path | None = None
    """Folder in which tissue areas are cached, None for no cache."""
    modalities: Sequence[str] = ("MR",)
    """Modalities of DICOM objects that are taken; ``any`` takes all."""
    derived: bool = False
    """Whether localizers and computed images in DICOM files are taken, too."""
    patient: str = "id"
    """One of `PATIENT_KEYS`."""

    @staticmethod
    def parse(
        slices: str,
        plane: str | None = None,
        cache_dir: str | Path | None = None,
        modalities: Sequence[str] = ("MR",),
        derived: bool = False,
        patient: str = "id",
    ) -> "ScanRules":
        """Build from the settings ``data.slices, plane, modalities, derived, patient`` and ``paths.cache_dir``.

        Raises:
            ConfigError: A setting is invalid.
        """
        require(
            plane in (None, "", *PLANES), f"data.plane={plane}", "one of " + ", ".join(sorted(PLANES)) + ", or null"
        )
        require(patient in PATIENT_KEYS, f"data.patient={patient}", "one of " + ", ".join(PATIENT_KEYS))
        names = [modalities] if isinstance(modalities, str) else list(modalities)
        is_valid = bool(names) and all(isinstance(name, str) and name.strip() for name in names)
        require(is_valid, f"data.modalities={modalities}", "a list of DICOM modalities: [MR,CT], or [any]")
        return ScanRules(
            parse_slice_policy(slices),
            plane or "",
            Path(cache_dir).expanduser() if cache_dir else None,
            tuple(name.strip() if name == "any" else name.strip().upper() for name in names),
            derived,
            patient,
        )


class Scans(NamedTuple):
    """Rows of the samples table, and the files that are none."""

    rows: list[Row]
    """``path`` (a reference) and, where known, ``patient_id, source, plane, mask_path, series``."""
    left_out: dict[str, str]
    """Path of a file → reason."""
    slices: dict[str, int]
    """``series`` of a volume → number of its slices."""

    def add(self, other: "Scans") -> None:
        """Add the rows and files of another place."""
        self.rows.extend(other.rows)
        self.left_out.update(other.left_out)
        self.slices.update(other.slices)


def find_scans(files: Sequence[File], home: PurePath, rules: ScanRules) -> Scans:
    """Find the images of scans among files below ``home``, on disk or in memory.

    Ordinary images are one row each. NIfTI volumes: ``patient_id`` comes from the path (`patient_from_path`). DICOM
    files are grouped into series; `dicom_series.read_slice_headers` defines their ``patient_id``. Files whose names
    mark them as masks (`mask_files.is_mask`) become the ``mask_path`` of their image, or are left out; so are NIfTI
    volumes that hold label maps, DICOM objects that are no images of a scan, and slices that are not selected. A file
    that cannot be read becomes a row, so that the error is reported when it is decoded.

    Args:
        files: Files to list, of any format that can be read.
        home: Folder that contains the files.
        rules: Which files and slices are taken.
    """
    masks = [file for file in files if is_mask(file, home)]
    kinds: dict[str, list[File]] = {"raster": [], "nifti": [], "dicom": [], "matlab": []}
    for file in sorted({*files} - {*masks}):
        kinds[format_of(file) or "raster"].append(file)
    images = [{"path": str(file)} for file in kinds["raster"] + kinds["matlab"]]
    scans = Scans(images, dict.fromkeys(map(str, masks), MASK), {})
    if kinds["nifti"]:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decompresses several .gz files at a time
            found = pool.map(lambda file: _volume_below(file, home, rules), kinds["nifti"])
            for volume in progress(found, "Choosing slices", len(kinds["nifti"])):
                scans.add(volume)
    if kinds["dicom"]:
        scans.add(_dicom_scans(kinds["dicom"], rules))
    return _with_masks(scans, pair_masks(kinds["raster"] + kinds["nifti"], masks))


def _with_masks(scans: Scans, mask_of: Mapping[File, File]) -> Scans:
    """Fill ``mask_path`` of images that have a mask; of volumes where both have one shape."""
    masks = {str(image): str(mask) for image, mask in mask_of.items() if _fits(image, mask)}
    rows = []
    for row in scans.rows:
        file, _, index = row["path"].partition("#") if row["path"].partition("#")[0] in masks else (row["path"], "", "")
        mask = masks.get(file)
        rows.append({**row, "mask_path": f"{mask}#{index}" if index else mask} if mask else row)
    used = set(masks.values())
    return scans._replace(rows=rows, left_out={file: why for file, why in scans.left_out.items() if file not in used})


def _fits(image: File, mask: File) -> bool:
    """Whether image and mask are of the same kind, and volumes of the same shape."""
    if format_of(image) != format_of(mask) or format_of(image) != "nifti":
        return "nifti" not in (format_of(image), format_of(mask))
    from brain_tumor.data.readers import nifti

    try:
        return nifti.read_layout(image).shape == nifti.read_layout(mask).shape
    except DataError:
        return False


def _volume_below(file: File, home: PurePath, rules: ScanRules) -> Scans:
    return nifti_scans(file, file.relative_to(home).as_posix(), patient_from_path(file, home), rules)


def nifti_scans(file: File, series: str, patient: str, rules: ScanRules, *, labels_too: bool = False) -> Scans:
    """Find the slices of one NIfTI file, as `find_scans` does, whatever its name.

    Args:
        file: Path of the file.
        series: Value of ``series``.
        patient: Value of ``patient_id``.
        rules: Which slices are taken.
        labels_too: Whether a volume that holds a label map is taken.
    """
    from brain_tumor.data.readers import nifti

    plane = rules.plane or "axial"
    common = {"patient_id": patient, "series": series}
    try:
        layout = nifti.read_layout(file)
        if (single := layout.single_slice_plane) and rules.plane in ("", single):
            return Scans([{**common, "path": str(file), "plane": single}], {}, {series: 1})
        if single:
            return Scans([], {str(file): f"in another plane ({single})"}, {})
        count = layout.shape[PLANES.index(plane)]
        measures = cached_areas(rules.cache_dir, [file], f"{plane} and kind", lambda: nifti.measure(file, plane))
    except DataError:
        return Scans([{"patient_id": patient, "path": str(file)}], {}, {})
    if measures[0] and not labels_too:
        return Scans([], {str(file): "mask (label map, by its values)"}, {})
    chosen = rules.policy.choose(count, lambda: measures[1:])
    _warn_if_empty(file, count, chosen)
    rows = [{**common, "path": f"{file}#{plane}:{index}", "plane": plane} for index in chosen]
    return Scans(rows, {} if rows else {str(file): NOT_CHOSEN}, {series: count})


def series_scans(folder: Path, rules: ScanRules) -> Scans:
    """Find the slices in a folder that contains one DICOM series, as `find_scans` does; other files are ignored.

    Raises:
        DataError: The folder contains no DICOM file, or files of several series.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file() and format_of(file) == "dicom")
    headers, scans = _read_headers(files, rules)
    count = len({header.series for header in headers})
    if count > 1 or not files:
        raise DataError(
            f"{folder} contains {count} DICOM series; expected exactly one; name another folder or single files."
        )
    scans.add(_series_of(headers, rules))
    return scans


def _dicom_scans(files: Sequence[File], rules: ScanRules) -> Scans:
    headers, scans = _read_headers(files, rules)
    scans.add(_series_of(headers, rules))
    return scans


def _read_headers(files: Sequence[File], rules: ScanRules) -> tuple[list["SliceHeader"], Scans]:
    """Return the slices of all files that are images of a scan, a row for each unreadable file, and the other files."""
    from brain_tumor.data.readers import dicom_series

    headers: list[SliceHeader] = []
    scans = Scans([], {}, {})
    for file in progress(files, "Reading DICOM headers"):
        try:
            found = dicom_series.read_slice_headers(
                file, rules.modalities, derived=rules.derived, patient=rules.patient
            )
        except DataError:
            scans.rows.append({"path": str(file)})
            continue
        if isinstance(found, str):
            scans.left_out[str(file)] = found
        else:
            headers += found
    return headers, scans


def _series_of(headers: Sequence["SliceHeader"], rules: ScanRules) -> Scans:
    from brain_tumor.data.readers import dicom_series

    scans = Scans([], {}, {})
    for series in progress(dicom_series.group_into_series(headers), "Choosing slices"):
        if rules.plane in ("", series[0].plane):
            scans.add(_series_scans(series, rules))
        else:
            reason = f"in another plane ({series[0].plane or 'unknown'})"
            scans.left_out.update(dict.fromkeys((str(header.file) for header in series), reason))
    taken = {str(source_file(row["path"])) for row in scans.rows}
    return scans._replace(left_out={file: reason for file, reason in scans.left_out.items() if file not in taken})


def _series_scans(series: Sequence["SliceHeader"], rules: ScanRules) -> Scans:
    """Return the rows of the selected slices of a series, and of those that turned out to be unreadable."""
    from brain_tumor.data.readers import dicom_series

    areas: list[float] = []

    def measure_areas() -> list[float]:
        key = " ".join(header.reference for header in series)
        files = [header.file for header in series]
        areas.extend(cached_areas(rules.cache_dir, files, key, lambda: dicom_series.tissue_areas(series)))
        return [-1.0 if math.isnan(area) else area for area in areas]

    chosen = rules.policy.choose(len(series), measure_areas)
    _warn_if_empty(series[0].file.parent, len(series), chosen)
    unreadable = {number for number, area in enumerate(areas) if math.isnan(area)}
    name = dicom_series.digest(f"series {series[0].series} {series[0].plane}")
    rows = [
        {
            "path": header.reference,
            "patient_id": header.patient_id,
            "plane": header.plane,
            "source": header.source,
            "series": name,
        }
        for header in (series[number] for number in sorted({*chosen, *unreadable}))
    ]
    return Scans(rows, dict.fromkeys((str(header.file) for header in series), NOT_CHOSEN), {name: len(series)})


def _warn_if_empty(volume: File | PurePath, count: int, chosen: Sequence[int]) -> None:
    if not chosen:
        log.warning("%s: data.slices selects none of %d slices", volume, count)
