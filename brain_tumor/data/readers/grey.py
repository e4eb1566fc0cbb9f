"""What all readers share: the type of their result, conversion to grey uint8, and resampling to square pixels."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.readers.parser_errors import UnreadableError
from brain_tumor.types import GreyImage

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the brightness of a colour (ITU-R BT.601)."""
TISSUE_THRESHOLD = 0.15
"""Share of the intensity range above which a voxel counts as tissue; the noise of air is below 0.05."""

_TAIL_PERCENT = 0.5
"""Percentage of values clipped at either end, so that a few very bright or dark voxels do not set the range."""
_ASPECT_TOLERANCE = 0.01
"""Relative difference of pixel height and width up to which pixels count as square: headers round."""
_MAX_ASPECT_RATIO = 32


@dataclass(frozen=True)
class Reading:
    """One image read from a file, and how the file stores it."""

    image: GreyImage
    """Grey, uint8 [height, width], in the resolution of the file."""
    format: str
    """File format: JPEG, PNG, TIFF, DICOM, NIFTI, …"""
    mode: str
    """Pixel type in the file: a Pillow mode (L, RGB, P, I;16, …) or a dtype (int16, …)."""


def scale_to_uint8(values: npt.NDArray[np.generic]) -> GreyImage:
    """Scale values of any range linearly: 0 stays 0 and the maximum becomes 255; a negative minimum becomes 0.

    Values that are not finite (not measured) become 0.

    Raises:
        ValueError: No value is finite.
    """
    wide = values.astype(np.float64)
    is_finite = np.isfinite(wide)
    if not is_finite.any():
        raise ValueError("it contains no finite value")
    low = min(float(wide[is_finite].min()), 0.0)
    span = float(wide[is_finite].max()) - low
    return np.rint(np.where(is_finite, wide - low, 0) * (255.0 / span if span > 0 else 0.0)).astype(np.uint8)


def robust_range(values: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Compute the black and white ends of the grey scale, without the tails of the distribution.

    Black is the 0.5th percentile. White is the 99.5th percentile of the values above the minimum, so that the empty
    background of a skull-stripped brain does not affect it. If the two coincide (a mask, a constant), minimum and
    maximum are returned. Values that are not finite are ignored; (0, 0) without any finite value.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    minimum, maximum = float(finite.min()), float(finite.max())
    if minimum == maximum:
        return minimum, maximum
    low = float(np.percentile(finite, _TAIL_PERCENT))
    high = float(np.percentile(finite[finite > minimum], 100 - _TAIL_PERCENT))
    return (low, high) if low < high else (minimum, maximum)


def rescale(values: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.floating]:
    """Map [``low``, ``high``] linearly to [0, 1] and clip; 0 if ``low >= high``, NaN where a value is not finite."""
    scaled = np.clip((values - low) / (high - low), 0, 1) if low < high else np.zeros_like(values)
    return np.asarray(np.where(np.isfinite(values), scaled, np.nan))


def unit_to_uint8(values: npt.NDArray[np.floating]) -> GreyImage:
    """Convert values in [0, 1] to uint8; NaN and infinite values (padding, not measured) become 0."""
    return np.asarray(np.rint(np.where(np.isfinite(values), values, 0) * 255), np.uint8)


def resample_to_square_pixels(image: GreyImage, pixel_height: float, pixel_width: float) -> GreyImage:
    """Enlarge an image [H, W] along its coarser axis, so that its pixels become square.

    Anatomy keeps its proportions and no detail is lost (linear interpolation). Invalid sizes (0, negative, not finite)
    count as unknown and leave the image unchanged.

    Args:
        image: uint8 [H, W].
        pixel_height: Height of a pixel in mm.
        pixel_width: Width of a pixel in mm.

    Raises:
        UnreadableError: The ratio of height and width is over 32.
    """
    if not all(math.isfinite(size) and size > 0 for size in (pixel_height, pixel_width)):
        return image
    ratio = pixel_height / pixel_width
    if abs(ratio - 1) <= _ASPECT_TOLERANCE:
        return image
    if not 1 / _MAX_ASPECT_RATIO <= ratio <= _MAX_ASPECT_RATIO:
        raise UnreadableError(
            f"has pixels of {pixel_height:g} × {pixel_width:g} mm; expected a ratio of at most {_MAX_ASPECT_RATIO}; "
            "choose another plane"
        )
    rows, columns = image.shape
    size = (columns, round(rows * ratio)) if ratio > 1 else (round(columns / ratio), rows)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
