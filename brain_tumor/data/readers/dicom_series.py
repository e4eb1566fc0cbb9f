"""Slices of DICOM files from their headers, grouped into series and sorted along the patient."""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from brain_tumor.data.readers import dicom_kind
from brain_tumor.data.readers.dicom_attributes import FrameHeader, as_number, safe_get
from brain_tumor.data.readers.dicom_frame import brightness, decode_frame, frame_count, open_dicom
from brain_tumor.data.readers.grey import TISSUE_THRESHOLD, robust_range
from brain_tumor.data.readers.memory import File
from brain_tumor.data.readers.parser_errors import as_data_error, silence_parsers
from brain_tumor.data.readers.slices import PLANES
from brain_tumor.errors import DataError

_TAGS = [
    *dicom_kind.TAGS,
    *("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "NumberOfFrames", "SOPInstanceUID"),
    *("ImagePositionPatient", "ImageOrientationPatient", "Manufacturer", "ManufacturerModelName"),
    *("MagneticFieldStrength", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
]
_PLACEHOLDER = re.compile(
    r"(anon(y|i)m\w*|anon|de-?identified|removed|redacted|hidden|unknown|none|null|n/?a|nan|no ?id|patient|pat|test|"
    r"subject|x+|0+|-+|\.+)[ _^-]*",
    re.IGNORECASE,
)
"""Values of PatientID that name nobody: words that de-identification leaves."""
_MAX_SAMPLES_PER_AXIS = 256
"""Areas of larger images are counted on every n-th pixel along both axes."""
_SAME_POSITION = 1e-3
"""Distance in mm below which two slices are at the same place."""


@dataclass(frozen=True)
class SliceHeader:
    """One frame of a file, as its header describes it."""

    file: File
    frame: str
    """Number of the frame, from 0; empty for the only frame of a file."""
    series: str
    """SeriesInstanceUID, or the folder of the file without one."""
    plane: str
    """Nearest plane: axial, coronal or sagittal; empty if unknown."""
    position: float | None
    """Position along the plane's normal in mm, increasing towards the patient's right, front or top."""
    number: int
    """Number of the frame in its file, or InstanceNumber of a single frame."""
    patient_id: str
    source: str

    @property
    def reference(self) -> str:
        """Reference to the slice that `brain_tumor.data.readers.reading` resolves."""
        return f"{self.file}#{self.frame}" if self.frame else str(self.file)


def read_slice_headers(
    file: File, modalities: Collection[str], *, derived: bool, patient: str
) -> list[SliceHeader] | str:
    """Read the headers of all frames of a file, in the order of the file; or return why it is left out.

    ``patient_id`` is a pseudonym: a digest of PatientID, or if that is empty of StudyInstanceUID, or else of the
    series. It hides the number from a reader of the tables but does not anonymise: with the numbers at hand, their
    digests can be computed. A placeholder such as ANONYMOUS stays as it is, so that messages can name it. Names are
    never read. ``source`` is manufacturer, model and field strength, not the hospital. Attributes that cannot be parsed
    are unknown.

    Args:
        file: File of the file.
        modalities: Modalities that are taken, or ``any``.
        derived: Whether localizers and computed images are taken, too.
        patient: What tells patients apart: ``id`` (PatientID), ``study`` or ``file``.

    Raises:
        DataError: The file is damaged or no DICOM file.
    """
    with as_data_error(file), silence_parsers():
        data = open_dicom(file, _TAGS)
        if reason := dicom_kind.reason_left_out(data, modalities, derived=derived):
            return reason
        count = frame_count(data)
        series = str(safe_get(data, "SeriesInstanceUID") or file.parent)
        pseudonym, source = _pseudonym(data, series, file, patient), _source(data)
        headers = []
        for index in range(count):
            plane, position = _plane_and_position(FrameHeader(data, index))
            number = index if count > 1 else int(as_number(safe_get(data, "InstanceNumber")) or 0)
            frame = str(index) if count > 1 else ""
            headers.append(SliceHeader(file, frame, series, plane, position, number, pseudonym, source))
        return headers


def group_into_series(headers: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """Group slices by series and plane, and sort each group by position, or by number if a position is unknown.

    Planes are separated because localizer series mix them. Positions increase towards the patient's right, front or
    top, so that slices are counted as in NIfTI volumes. A series that holds every position equally often (echoes,
    directions, times) is several volumes, each a group.
    """
    groups: dict[tuple[str, str], list[SliceHeader]] = {}
    for header in headers:
        groups.setdefault((header.series, header.plane), []).append(header)
    for group in groups.values():
        if all(header.position is not None for header in group):
            group.sort(key=lambda header: (header.position or 0.0, header.number, header.reference))
        else:
            group.sort(key=lambda header: (header.number, header.reference))
    return [volume for key in sorted(groups) for volume in _volumes(groups[key])]


def _volumes(group: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Separate sorted slices into volumes that hold each position once, if all positions occur equally often."""
    places: list[list[SliceHeader]] = []
    for header in group:
        if header.position is None:
            return [group]
        if places and header.position - (places[-1][0].position or 0.0) < _SAME_POSITION:
            places[-1].append(header)
        else:
            places.append([header])
    counts = {len(place) for place in places}
    if len(places) < 2 or len(counts) > 1 or counts == {1}:  # one place: frames of a cine, or unknown positions
        return [group]
    ordered = [sorted(place, key=lambda header: (header.number, header.reference)) for place in places]
    return [
        [replace(place[number], series=f"{place[number].series}.{number}") for place in ordered]
        for number in range(counts.pop())
    ]


def tissue_areas(series: Sequence[SliceHeader]) -> list[float]:
    """Count the tissue pixels of each slice (of large images, on a grid); NaN if a slice cannot be read.

    Tissue is brighter than 15 % of the robust range of the whole series, before any window.
    """
    values = [_brightness(header) for header in series]
    low, high = robust_range(np.concatenate([slice_values.ravel() for slice_values in values]))
    threshold = low + TISSUE_THRESHOLD * (high - low)
    return [float((slice_values > threshold).sum()) if slice_values.size else np.nan for slice_values in values]


def _brightness(header: SliceHeader) -> npt.NDArray[np.floating]:
    try:
        with as_data_error(header.file), silence_parsers():
            frame = decode_frame(open_dicom(header.file), int(header.frame or 0))
            step = max(1, max(frame.values.shape) // _MAX_SAMPLES_PER_AXIS)
            return brightness(frame)[::step, ::step].astype(np.float32)
    except DataError:  # reported when the slice is read for training
        return np.zeros(0, np.float32)


def _plane_and_position(header: FrameHeader) -> tuple[str, float | None]:
    """Compute plane and position.

    Source: DICOM PS3.3 C.7.6.2.1.1, whose axes point to the patient's left, back and top.
    """
    directions, corner = header.get_floats("ImageOrientationPatient", 6), header.get_floats("ImagePositionPatient", 3)
    if directions is None:
        return "", None
    normal = np.cross(directions[:3], directions[3:]) * (-1, -1, 1)
    axis = int(np.argmax(np.abs(normal)))
    if not np.isfinite(normal).all() or normal[axis] == 0:
        return "", None
    normal *= np.sign(normal[axis])
    position = None if corner is None else float(normal @ (np.array(corner) * (-1, -1, 1)))
    return PLANES[axis], position if position is not None and np.isfinite(position) else None


def _pseudonym(data: Dataset, series: str, file: File, patient: str) -> str:
    """Return the pseudonym of the patient, told apart by ``id``, ``study`` or ``file``."""
    if patient == "file":
        return digest(f"file {safe_get(data, 'SOPInstanceUID') or file}")
    keywords = ("PatientID", "StudyInstanceUID") if patient == "id" else ("StudyInstanceUID",)
    identifiers = (str(safe_get(data, keyword) or "").strip() for keyword in keywords)
    identifier = next((text for text in identifiers if text), series)
    return identifier if _PLACEHOLDER.fullmatch(identifier) else digest(identifier)


def digest(identifier: str) -> str:
    """Return a pseudonym of an identifier, 16 hexadecimal digits."""
    return hashlib.sha256(f"brain-tumor patient {identifier}".encode()).hexdigest()[:16]


def _source(data: Dataset) -> str:
    field = as_number(safe_get(data, "MagneticFieldStrength"))
    parts = [safe_get(data, "Manufacturer"), safe_get(data, "ManufacturerModelName"), f"{field:g} T" if field else ""]
    return " ".join(" ".join(str(part).split()) for part in parts if part)
