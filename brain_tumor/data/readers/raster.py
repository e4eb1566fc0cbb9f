"""Reader of ordinary image files: JPEG, PNG, TIFF, GIF, BMP, WebP, PNM."""

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from brain_tumor.data.readers.deep_colour import is_tiff, read_deep
from brain_tumor.data.readers.grey import Reading, scale_to_uint8
from brain_tumor.data.readers.memory import File, source
from brain_tumor.errors import DataError
from brain_tumor.types import GreyImage

SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)

DECODE_ERRORS = (OSError, SyntaxError, struct.error, ValueError, Image.DecompressionBombError)
"""Exceptions that Pillow raises on damaged files."""

_WIDE_MODES = ("I", "F")  # prefixes of the modes with more than 8 bits per pixel: I, I;16, I;16B, F, …


def read(file: File, slices: Sequence[str]) -> Iterator[Reading]:
    """Read an image file as a grey image, turned upright by its EXIF orientation.

    All modes are supported: transparency is composed over black, colour becomes luma (ITU-R 601), and images of more
    than 8 bits are scaled linearly, so that 0 stays 0 and their maximum becomes 255 (a negative minimum becomes 0).
    Values that are not finite become black. The first page, or the first frame, of several is read.

    Raises:
        DataError: The file is damaged or not an image, or a slice of it is named.
    """
    for name in slices:
        if name:
            raise DataError(f"{file} is a single image and has no slice {name!r}; name the file alone.")
        yield _read(file)


def _read(file: File) -> Reading:
    try:
        if is_tiff(file, big=True):  # Pillow reads it in one byte order only
            return _tiff(file)
        with Image.open(source(file)) as image:
            file_format, mode = str(image.format), image.mode
            deep = read_deep(file, image)
            if deep is not None:
                return Reading(deep.grey, file_format, deep.stored_type)
            image.draft("L", image.size)  # JPEG: decode luma alone, several times faster
            return Reading(grey_image(image), file_format, mode)
    except UnidentifiedImageError:
        if is_tiff(file):
            return _tiff(file)
        raise DataError(
            f"{file} holds no image of a known format, although its suffix is {file.suffix}; replace or remove it."
        ) from None
    except DECODE_ERRORS as error:
        raise DataError(f"{file} cannot be decoded: {str(error).rstrip('.')}.") from error


def _tiff(file: File) -> Reading:
    deep = read_deep(file)
    assert deep is not None  # noqa: S101 - as no image was passed
    return Reading(deep.grey, "TIFF", deep.stored_type)


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
