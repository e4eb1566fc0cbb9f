"""Pixels that are not square, made square."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.formats.guard import UnreadableError

_TOLERANCE = 0.01  # headers round; a per cent changes no shape
_LIMIT = 32


def square_pixels(picture: npt.NDArray[np.uint8], height: float, width: float) -> npt.NDArray[np.uint8]:
    """Enlarge a picture [H, W] along the coarser direction, so that pixels of ``height`` × ``width`` mm become square.

    Anatomy keeps its proportions and no detail is lost (linear interpolation). Sizes that cannot be (0, negative, not
    finite) count as unknown and leave the picture as it is.

    Raises:
        UnreadableError: One side is over 32 times the other.
    """
    if not (math.isfinite(height) and math.isfinite(width) and height > 0 and width > 0):
        return picture
    ratio = height / width
    if abs(ratio - 1) <= _TOLERANCE:
        return picture
    if not 1 / _LIMIT <= ratio <= _LIMIT:
        raise UnreadableError(f"has pixels of {height:g} × {width:g} mm, too long for a picture; choose another plane")
    rows, columns = picture.shape
    size = (columns, round(rows * ratio)) if ratio > 1 else (round(columns / ratio), rows)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)
