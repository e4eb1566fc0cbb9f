"""Reader of ordinary image files: JPEG, PNG, TIFF, BMP, WebP."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from brain_tumor.data.readers.grey import Reading, scale_to_uint8
from brain_tumor.errors import DataError
from brain_tumor.types import GreyImage

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

DECODE_ERRORS = (OSError, SyntaxError, struct.error, ValueError, Image.DecompressionBombError)
"""Exceptions that Pillow raises on damaged files."""

_WIDE_MODES = ("I", "F")  # prefixes of the modes with more than 8 bits per pixel: I, I;16, I;16B, F, …


def read(file: Path, slices: Sequence[str]) -> Iterator[Reading]:
    """Read an image file as a grey image, turned upright by its EXIF orientation.

    All modes are supported: transparency is composed over black, colour becomes luma (ITU-R 601), and images of more
    than 8 bits are scaled linearly, so that 0 stays 0 and their maximum becomes 255 (a negative minimum becomes 0).
    The first page of several is read.

    Raises:
        DataError: The file is damaged or not an image, or a slice of it is named.
    """
    for name in slices:
        if name:
            raise DataError(f"{file} is a single image and has no slice {name!r}; name the file alone.")
        yield _read(file)


def _read(file: Path) -> Reading:
    try:
        with Image.open(file) as image:
            file_format, mode = str(image.format), image.mode
            image.draft("L", image.size)  # JPEG: decode luma alone, several times faster
            return Reading(grey_image(image), file_format, mode)
    except UnidentifiedImageError as error:
        raise DataError(f"{file} is not an image, although its suffix says so; replace or remove it.") from error
    except DECODE_ERRORS as error:
        raise DataError(f"{file} cannot be decoded: {str(error).rstrip('.')}.") from error


def grey_image(image: Image.Image) -> GreyImage:
    """Convert an open image of any mode to uint8 [height, width], as `read` does."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(_WIDE_MODES):
        return scale_to_uint8(np.asarray(image))
    if image.has_transparency_data or image.mode == "PA":
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
    elif image.mode == "P":
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))
