"""One image file in, one grey uint8 picture out."""

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from brain_tumor.errors import DataError

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

READING_VERSION = 2
"""Part of every cache key: raise it when the same file would yield other pixels or facts."""

_WIDE_MODES = ("I", "F")  # and I;16, I;16B, …: more than 8 bits a pixel


def read_grey(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read an image file as a grey picture, upright as its EXIF orientation says.

    Reads JPEG, PNG, TIFF (its first page), BMP and WebP in any mode: transparency is laid over black, colour becomes
    luma (ITU-R 601), and pictures of more than 8 bits are scaled linearly so that 0 stays black and their maximum
    becomes 255 (negative values: their minimum becomes 0).

    Returns:
        uint8 array [height, width].

    Raises:
        DataError: The file is missing, truncated or no image.
    """
    try:
        with Image.open(path) as image:
            image.draft("L", image.size)  # JPEG: decode luma alone, several times faster
            return _to_grey(ImageOps.exif_transpose(image))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image ({', '.join(sorted(IMAGE_SUFFIXES))} are read).") from error
    except (
        OSError,
        SyntaxError,
        struct.error,
        ValueError,
        Image.DecompressionBombError,
    ) as error:  # Pillow's ways to say "corrupt"
        raise DataError(f"{path} cannot be decoded: {str(error).rstrip('.')}.") from error


def _to_grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode.startswith(_WIDE_MODES):
        return _scale_to_uint8(np.asarray(image))
    if image.has_transparency_data or image.mode == "PA":
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
    elif image.mode == "P":
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))


def _scale_to_uint8(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise ValueError("it holds values that are not finite")
    low = min(float(wide.min()), 0.0)
    span = float(wide.max()) - low
    return np.rint((wide - low) * (255.0 / span if span > 0 else 0.0)).astype(np.uint8)
