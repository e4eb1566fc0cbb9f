"""What every format yields, and how wide values become grey."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Reading:
    """One picture out of a file, and how the file stored it."""

    picture: npt.NDArray[np.uint8]
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
