"""What every reader yields, how wide values become grey uint8, and pixels that are not square."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.readers.guard import UnreadableError


@dataclass(frozen=True)
class Reading:
    """One image out of a file, and how the file stored it."""

    image: npt.NDArray[np.uint8]
    """Grey, uint8 [height, width], of the size the file has."""
    format: str
    """JPEG, PNG, TIFF, DICOM, NIFTI, …"""
    mode: str
    """How pixels are stored: a Pillow mode (L, RGB, P, I;16, …) or a dtype (int16, …)."""


def scale_to_uint8(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Scale values of any width linearly, so that 0 stays black and their maximum becomes 255.

    Negative values: their minimum becomes 0.

    Raises:
        ValueError: Values are not finite.
    """
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise ValueError("it holds values that are not finite")
    low = min(float(wide.min()), 0.0)
    span = float(wide.max()) - low
    return np.rint((wide - low) * (255.0 / span if span > 0 else 0.0)).astype(np.uint8)


FOREGROUND = 0.15
"""Share of the range above which a voxel counts as tissue: air's noise lies below a twentieth."""

_TAIL = 0.5  # per cent at either end that a few hot or dead voxels may hold


def robust_range(values: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Ends (black, white) of the grey scale of some values; values that are not finite are left out.

    Black is the 0.5th percentile. White is the 99.5th of the values above the minimum, so that the empty surroundings
    of a skull-stripped brain do not decide it. Where the two meet (a mask, a constant), minimum and maximum.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    least, most = float(finite.min()), float(finite.max())
    if least == most:
        return least, most
    low = float(np.percentile(finite, _TAIL))
    high = float(np.percentile(finite[finite > least], 100 - _TAIL))
    return (low, high) if low < high else (least, most)


def share(values: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.floating]:
    """Where values lie between ``low`` (0) and ``high`` (1), clipped; 0 if the two are one, NaN if not finite."""
    shares = np.clip((values - low) / (high - low), 0, 1) if low < high else np.zeros_like(values)
    return np.asarray(np.where(np.isfinite(values), shares, np.nan))


def to_grey(shares: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Shares 0 … 1 as uint8; what is not finite (padding, no measurement) becomes black."""
    return np.asarray(np.rint(np.where(np.isfinite(shares), shares, 0) * 255), np.uint8)


_TOLERANCE = 0.01  # headers round; a per cent changes no shape
_LIMIT = 32


def square_pixels(image: npt.NDArray[np.uint8], height: float, width: float) -> npt.NDArray[np.uint8]:
    """Enlarge an image [H, W] along the coarser direction, so that pixels of ``height`` × ``width`` mm become square.

    Anatomy keeps its proportions and no detail is lost (linear interpolation). Sizes that cannot be (0, negative, not
    finite) count as unknown and leave the image as it is.

    Raises:
        UnreadableError: One side is over 32 times the other.
    """
    if not (math.isfinite(height) and math.isfinite(width) and height > 0 and width > 0):
        return image
    ratio = height / width
    if abs(ratio - 1) <= _TOLERANCE:
        return image
    if not 1 / _LIMIT <= ratio <= _LIMIT:
        raise UnreadableError(f"has pixels of {height:g} × {width:g} mm, too long for an image; choose another plane")
    rows, columns = image.shape
    size = (columns, round(rows * ratio)) if ratio > 1 else (round(columns / ratio), rows)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
