"""Attributes of a DICOM data set and of its frames, read so that a malformed value is an unknown one."""

import math
from typing import Any

from pydicom.dataset import Dataset


def safe_get(data: Dataset, keyword: str) -> Any:
    """Return the value of an attribute; None if it is missing or cannot be parsed.

    Scanners and exports write values that the standard forbids (a field strength ``3T``); such a value is unknown,
    and what does not depend on it is read all the same.
    """
    try:
        return data.get(keyword)
    except Exception:  # pydicom raises exceptions of any type on malformed values
        return None


def as_number(value: Any) -> float | None:
    """Convert a value, or the first of several, to a number; None if it is not a finite one."""
    try:
        number = float(value[0] if has_several_values(value) else value)
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None


def has_several_values(value: Any) -> bool:
    """Return whether an attribute has several values."""
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


class FrameHeader:
    """The attributes of one frame: its per-frame functional groups, then the shared ones, then the data set.

    Source: DICOM PS3.3 C.7.6.16, Multi-frame Functional Groups.

    Args:
        data: Data set of the file.
        number: Number of the frame, from 0.
    """

    def __init__(self, data: Dataset, number: int) -> None:
        per_frame = safe_get(data, "PerFrameFunctionalGroupsSequence") or []
        shared = safe_get(data, "SharedFunctionalGroupsSequence") or []
        groups = [*per_frame[number : number + 1], *shared[:1]]
        macros = [element.value for group in groups for element in group if element.VR == "SQ"]
        self._datasets = [*(macro[0] for macro in macros if macro), data]

    def get(self, keyword: str) -> Any:
        """Return the value of an attribute, None if it is missing, empty or malformed."""
        values = (safe_get(dataset, keyword) for dataset in self._datasets)
        return next((value for value in values if value is not None and value != "" and value != []), None)

    def get_float(self, keyword: str) -> float | None:
        """Return the value of a numeric attribute, the first if it has several, None if there is no finite one."""
        return as_number(self.get(keyword))

    def get_floats(self, keyword: str, count: int) -> list[float] | None:
        """Return the values of a numeric attribute, None if it does not have exactly ``count`` finite ones."""
        value = self.get(keyword)
        if not has_several_values(value) or len(value) != count:
            return None
        numbers = [as_number(item) for item in value]
        return None if None in numbers else [number for number in numbers if number is not None]
