"""Ordinary image files: JPEG, PNG, TIFF, BMP, WebP."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from brain_tumor.data.readers.grey import Reading, scale_to_uint8
from brain_tumor.errors import DataError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

CORRUPT = (OSError, SyntaxError, struct.error, ValueError, Image.DecompressionBombError)
"""Pillow's ways to say so."""

_WIDE_MODES = ("I", "F")  # and I;16, I;16B, …: more than 8 bits a pixel


def read(file: Path, slices: Sequence[str]) -> Iterator[Reading]:
    """Read an image file as a grey image, upright as its EXIF orientation says.

    Any mode will do: transparency is laid over black, colour becomes luma (ITU-R 601), and images of more than 8 bits
    are scaled linearly so that 0 stays black and their maximum becomes 255 (negative values: their minimum becomes 0).
    Of several pages the first is read.

    Raises:
        DataError: The file is truncated or no image, or a slice of it is asked for.
    """
    for name in slices:
        if name:
            raise DataError(f"{file} is one image; it has no slice {name!r}.")
        yield _read(file)


def _read(file: Path) -> Reading:
    try:
        with Image.open(file) as image:
            form, mode = str(image.format), image.mode
            image.draft("L", image.size)  # JPEG: decode luma alone, several times faster
            return Reading(grey_image(image), form, mode)
    except UnidentifiedImageError as error:
        raise DataError(f"{file} is not an image, whatever its name says.") from error
    except CORRUPT as error:
        raise DataError(f"{file} cannot be decoded: {str(error).rstrip('.')}.") from error


def grey_image(image: Image.Image) -> npt.NDArray[np.uint8]:
    """An open image of any mode as `read` would yield it, uint8 [height, width]."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(_WIDE_MODES):
        return scale_to_uint8(np.asarray(image))
    if image.has_transparency_data or image.mode == "PA":
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)
    elif image.mode == "P":
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))
