"""Open a DICOM file and find what it says of one of its frames."""

from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from brain_tumor.data.readers.guard import UnreadableError

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def opened(file: Path, tags: list[str] | None = None) -> Dataset:
    """Read a data set whole, or some of its header; to be called within `guard` and `quiet`.

    Files without preamble or file meta information are taken too, as old archives hold them.

    Raises:
        UnreadableError: It is no DICOM, or DICOM that holds no image (a report, a plan, a DICOMDIR, …).
    """
    data = pydicom.dcmread(file, force=True, stop_before_pixels=tags is not None, specific_tags=tags)
    if "Rows" not in data:
        uid = data.get("SOPClassUID") or getattr(data, "file_meta", {}).get("MediaStorageSOPClassUID")
        kind = f"holds no image ({UID(uid).name}); remove it" if uid else "is not DICOM, whatever its name says"
        raise UnreadableError(kind)
    if tags is None:
        if not any(keyword in data for keyword in _PIXELS):
            raise UnreadableError("holds no pixel data; it is cut short or a header alone")
        _name_syntax(data)
    return data


def _name_syntax(data: Dataset) -> None:
    """Where the file does not say how it is encoded, take what the parser found."""
    if "TransferSyntaxUID" in data.file_meta:
        return
    if "PixelData" in data and data["PixelData"].is_undefined_length:
        raise UnreadableError("does not say how its pixel data are compressed; export it again")
    implicit, little = data.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


class FrameHeader:
    """The attributes of one frame: its own functional groups, then the shared ones, then the data set's.

    Source: DICOM PS3.3 C.7.6.16, Multi-frame Functional Groups.
    """

    def __init__(self, data: Dataset, number: int) -> None:
        own = data.get("PerFrameFunctionalGroupsSequence") or []
        shared = data.get("SharedFunctionalGroupsSequence") or []
        groups = [*own[number : number + 1], *shared[:1]]
        macros = [element.value for group in groups for element in group if element.VR == "SQ"]
        self._places = [*(macro[0] for macro in macros if macro), data]

    def get(self, keyword: str) -> Any:
        """The value of an attribute, None where it is missing or empty."""
        values = (place.get(keyword) for place in self._places)
        return next((value for value in values if value is not None and value != "" and value != []), None)

    def number(self, keyword: str) -> float | None:
        """The value of a numeric attribute, the first where it has several."""
        value = self.get(keyword)
        return None if value is None else float(value[0] if _many(value) else value)

    def numbers(self, keyword: str, count: int) -> list[float] | None:
        """The values of an attribute that has ``count`` of them, None where it has not."""
        value = self.get(keyword)
        return [float(each) for each in value] if _many(value) and len(value) == count else None


def _many(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def frame_count(data: Dataset) -> int:
    """Frames in a data set; files that do not say hold one."""
    return max(1, int(data.get("NumberOfFrames") or 1))
