"""Images of more than 8 bits per value that Pillow cannot read, or only with 8 of the bits.

Pillow keeps the upper 8 bits of deep colour, so that 12-bit values in a 16-bit PNG become 16 grey levels; it does not
invert deep TIFF images whose white is 0, and does not read all of their number types.
"""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from brain_tumor.data.readers.grey import LUMA, scale_to_uint8
from brain_tumor.data.readers.memory import File, source
from brain_tumor.data.readers.parser_errors import UnreadableError, as_data_error, silence_parsers
from brain_tumor.types import GreyImage

Values = npt.NDArray[np.float64]

_BITS_PER_SAMPLE, _SAMPLE_FORMAT, _UNSIGNED = 258, 339, 1  # tags of TIFF 6.0, and a value of the second
_BIG_TIFF = (b"II+\0", b"MM\0+")
_TIFF = (b"II*\0", b"MM\0*", *_BIG_TIFF)
"""First bytes of the files, in either byte order."""
_UNASSOCIATED = 2
"""Kind of transparency in TIFF by which colours are not multiplied yet."""


@dataclass(frozen=True)
class DeepImage:
    """An image that Pillow does not read as it is."""

    values: Values
    """float64 [H, W]: grey values, or luma; larger is brighter; upright."""
    stored_type: str
    """Number type in the file, with the number of channels if there are several: uint16, float64, uint16 × 3."""

    @property
    def grey(self) -> GreyImage:
        """The image as uint8 [H, W]: 8-bit values as they are, others as `scale_to_uint8` scales them."""
        is_8_bit = self.stored_type.split()[0] == "uint8"
        return np.rint(self.values).astype(np.uint8) if is_8_bit else scale_to_uint8(self.values)


def is_tiff(file: File, *, big: bool = False) -> bool:
    """Return whether a file begins as a TIFF file, or as one of the variant for more than 4 GB."""
    return _first_bytes(file, 4) in (_BIG_TIFF if big else _TIFF)


def read_deep(file: File, image: Image.Image | None = None) -> DeepImage | None:
    """Read a file that Pillow would read with fewer bits, or wrongly.

    Args:
        file: File of the file.
        image: The file opened by Pillow; None for a TIFF file that Pillow does not read.

    Returns:
        The image; None if Pillow reads the file as it is.

    Raises:
        DataError: The file is damaged, or of a kind that is not supported.
    """
    with as_data_error(file):
        if image is not None and not _may_be_deep(file, image):
            return None
    with as_data_error(file), silence_parsers():  # takes as long as the decoding of a small image
        if image is None:
            return _read_tiff(file)
        if image.format == "TIFF":
            tags = image.tag_v2  # type: ignore[attr-defined]  # of TIFF images
            bits, kinds = tags.get(_BITS_PER_SAMPLE, (1,)), tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))
            return _read_tiff(file) if max(bits) > 8 or set(kinds) != {_UNSIGNED} else None
        if image.format == "PNG":
            return _from_channels(imagecodecs.png_decode(_first_bytes(file, -1)), _UNASSOCIATED)
        if _largest_value(image) > 255:
            decoded = cv2.imdecode(np.frombuffer(_first_bytes(file, -1), np.uint8), cv2.IMREAD_UNCHANGED)
            return _from_channels(np.asarray(decoded)[:, :, ::-1], None)  # OpenCV's order is blue, green, red
    return None


def _may_be_deep(file: File, image: Image.Image) -> bool:
    """Whether the format and mode of an open image leave it open that Pillow reads it with fewer bits."""
    return (
        image.format == "TIFF"
        or (image.format == "PNG" and _is_deep_colour_png(file))
        or (image.format == "PPM" and image.mode == "RGB")
    )


def tiff_pixels(file: File) -> int:
    """Return the number of values on the first page of a TIFF file, from its header alone.

    Raises:
        DataError: The file is damaged.
    """
    with as_data_error(file), silence_parsers(), tifffile.TiffFile(source(file)) as tiff:
        return math.prod(int(length) for length in tiff.pages[0].shape)


def _is_deep_colour_png(file: File) -> bool:
    """Whether a PNG has 16 bits per value and colour or transparency (bytes 24 and 25: bit depth and colour type)."""
    header = _first_bytes(file, 26)
    return header[24] == 16 and header[25] != 0


def _first_bytes(file: File, count: int) -> bytes:
    """Read the first bytes of a file; all of them where ``count`` is −1."""
    with file.open("rb") as content:
        return content.read(count)


def _largest_value(image: Image.Image) -> int:
    """Largest value that the header of a PNM file allows."""
    tiles = getattr(image, "tile", [])
    arguments = tiles[0].args if tiles else ()
    return int(arguments[1]) if isinstance(arguments, tuple) and len(arguments) > 1 else 255


def _read_tiff(file: File) -> DeepImage:
    with tifffile.TiffFile(source(file)) as tiff:
        page: Any = tiff.pages[0]
        pixels = page.asarray()
        kind = page.photometric.name
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)
        elif page.axes not in ("YX", "YXS"):
            raise UnreadableError(f"has the axes {page.axes}; expected one image; export its slices as single images")
        extra = int(page.extrasamples[0]) if page.extrasamples else None
        if kind == "PALETTE":
            pixels = np.moveaxis(page.colormap, 0, -1)[pixels]
        elif kind not in ("MINISWHITE", "MINISBLACK", "RGB"):
            raise UnreadableError(f"stores {kind} values of {page.bitspersample} bits; export it as grey or RGB")
        deep = _from_channels(pixels, extra)
        values = deep.values
        if kind == "MINISWHITE":
            is_unsigned = pixels.dtype.kind == "u"
            values = (2**page.bitspersample - 1 if is_unsigned else np.nanmax(values)) - values
        orientation = page.tags.get("Orientation")
        return DeepImage(_upright(values, int(orientation.value) if orientation else 1), deep.stored_type)


def _from_channels(pixels: npt.NDArray[np.generic], transparency: int | None) -> DeepImage:
    """Convert pixels [H, W] or [H, W, 1 to 4], grey or RGB with or without transparency, to grey over black."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    stored_type = pixels.dtype.name + (f" × {channels}" if channels > 1 else "")
    if not np.issubdtype(pixels.dtype, np.number) or np.iscomplexobj(pixels):
        raise UnreadableError(f"stores {pixels.dtype.name} values; expected real numbers")
    values = pixels.astype(np.float64).reshape(*pixels.shape[:2], channels)
    grey = values[:, :, :3] @ LUMA if channels > 2 else values[:, :, 0]
    if channels in (2, 4) and transparency == _UNASSOCIATED:
        white = 2.0 ** (8 * pixels.dtype.itemsize) - 1 if np.issubdtype(pixels.dtype, np.integer) else 1.0
        grey = grey * (values[:, :, -1] / white)
    return DeepImage(grey, stored_type)


def _upright(values: Values, orientation: int) -> Values:
    """Turn an image [H, W] upright by its orientation, 1 to 8, as TIFF 6.0 and EXIF define it."""
    if orientation in (5, 6, 7, 8):
        values = values.T
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return np.ascontiguousarray(values)
