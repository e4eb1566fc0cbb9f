"""DICOM files of a folder, put together to series and sorted along the patient."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from brain_tumor.data.readers.dicom_header import FrameHeader, frame_count, opened
from brain_tumor.data.readers.dicom_values import brightness, decode
from brain_tumor.data.readers.grey import FOREGROUND, robust_range
from brain_tumor.data.readers.guard import guard, quiet
from brain_tumor.errors import DataError

_PLANES = ("sagittal", "coronal", "axial")  # across x, y, z
_TAGS = [
    *("SOPClassUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "NumberOfFrames", "Rows"),
    *("ImagePositionPatient", "ImageOrientationPatient", "Manufacturer", "ManufacturerModelName"),
    *("MagneticFieldStrength", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]
_FINE = 256  # of larger images only every n-th pixel in both directions is counted


@dataclass(frozen=True)
class Slice:
    """One frame of a file, as its header describes it."""

    file: Path
    frame: str
    """Its number, empty in a file of one frame."""
    series: str
    plane: str
    """axial, coronal or sagittal: the nearest; empty if unknown."""
    position: float | None
    """Along the plane's normal towards the patient's right, front or top, mm."""
    number: int
    patient_id: str
    source: str

    @property
    def reference(self) -> str:
        """What `brain_tumor.data.readers.reading` takes."""
        return f"{self.file}#{self.frame}" if self.frame else str(self.file)


def slices_of(file: Path) -> list[Slice]:
    """Read the header of a file: its frames, in the file's order.

    The patient is a pseudonym: a digest of PatientID, where that is empty of StudyInstanceUID, else of the series. It
    hides the number from a reader of the tables, but a pseudonym is not anonymity: who knows the numbers can compute
    their digests. Names are never read. The source is manufacturer, model and field strength; no hospital.

    Raises:
        DataError: The file is damaged or holds no image.
    """
    with guard(file), quiet():
        data = opened(file, _TAGS)
        count = frame_count(data)
        series = str(data.get("SeriesInstanceUID") or file.parent)
        patient, source = _pseudonym(data, series), _source(data)
        slices = []
        for number in range(count):
            plane, position = _place(FrameHeader(data, number))
            order = number if count > 1 else int(data.get("InstanceNumber") or 0)
            frame = str(number) if count > 1 else ""
            slices.append(Slice(file, frame, series, plane, position, order, patient, source))
        return slices


def sorted_series(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Slices grouped by series and, as localizers mix them, by plane; each sorted by position, else by number.

    Positions grow towards the patient's right, front or top, so that numbers count as in NIfTI volumes.
    """
    groups: dict[tuple[str, str], list[Slice]] = {}
    for each in slices:
        groups.setdefault((each.series, each.plane), []).append(each)
    for group in groups.values():
        known = all(each.position is not None for each in group)
        group.sort(key=lambda each: (each.position or 0.0 if known else 0.0, each.number, each.reference))
    return [groups[key] for key in sorted(groups)]


def areas(series: Sequence[Slice]) -> list[float]:
    """How many pixels of each slice show tissue (of large images: of a grid of them); NaN where one cannot be read.

    Tissue is what is brighter than 15 per cent of the robust range of the whole series, before any window.
    """
    values = [_brightness(each) for each in series]
    low, high = robust_range(np.concatenate([each.ravel() for each in values]))
    level = low + FOREGROUND * (high - low)
    return [float((each > level).sum()) if each.size else np.nan for each in values]


def _brightness(each: Slice) -> npt.NDArray[np.floating]:
    try:
        with guard(each.file), quiet():
            frame = decode(opened(each.file), int(each.frame or 0))
            step = max(1, max(frame.values.shape) // _FINE)
            return brightness(frame)[::step, ::step].astype(np.float32)
    except DataError:
        return np.zeros(0, np.float32)  # told when the slice is read for training


def _place(header: FrameHeader) -> tuple[str, float | None]:
    """Plane and position. Source: DICOM PS3.3 C.7.6.2.1.1; its axes point to the patient's left, back and top."""
    directions, corner = header.numbers("ImageOrientationPatient", 6), header.numbers("ImagePositionPatient", 3)
    if directions is None:
        return "", None
    normal = np.cross(directions[:3], directions[3:]) * (-1, -1, 1)
    axis = int(np.argmax(np.abs(normal)))
    if not np.isfinite(normal).all() or normal[axis] == 0:
        return "", None
    normal *= np.sign(normal[axis])
    position = None if corner is None else float(normal @ (np.array(corner) * (-1, -1, 1)))
    return _PLANES[axis], position if position is not None and np.isfinite(position) else None


def _pseudonym(data: Dataset, series: str) -> str:
    known = (str(data.get(keyword) or "").strip() for keyword in ("PatientID", "StudyInstanceUID"))
    identity = next((text for text in known if text), series)
    return hashlib.sha256(f"brain-tumor patient {identity}".encode()).hexdigest()[:16]


def _source(data: Dataset) -> str:
    field = data.get("MagneticFieldStrength")
    parts = [data.get("Manufacturer"), data.get("ManufacturerModelName"), f"{float(field):g} T" if field else ""]
    return " ".join(" ".join(str(part).split()) for part in parts if part)
