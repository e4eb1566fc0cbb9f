"""What a request may hold: checked on headers, before anything is unpacked."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from brain_tumor.data.readers import nifti
from brain_tumor.data.readers.deep_colour import is_tiff, tiff_pixels
from brain_tumor.data.readers.dicom_attributes import as_number, safe_get
from brain_tumor.data.readers.dicom_frame import frame_count, open_dicom
from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.parser_errors import UnreadableError, as_data_error, silence_parsers
from brain_tumor.data.readers.raster import DECODE_ERRORS
from brain_tumor.data.readers.reading import format_of
from brain_tumor.errors import DataError

_DEFLATED = b"1.2.840.10008.1.2.1.99"
"""UID of DICOM's deflated transfer syntax, whose unpacked size no header tells."""
_META = 4096
"""First bytes of a DICOM file, in which its transfer syntax is named."""


class TooLargeError(DataError):
    """A request holds more than it may."""


@dataclass(frozen=True)
class Limits:
    """What one request may hold."""

    files: int = 1024
    """Number of files."""
    megabytes: float = 256.0
    """Size of the request in units of 10⁶ bytes."""
    megapixels: float = 512.0
    """Pixels of all images and volumes, unpacked, in units of 10⁶."""
    file_megapixels: float = 64.0
    """Pixels of one file, unpacked, in units of 10⁶."""
    frames: int = 2048
    """Slices or frames of one file."""
    header_seconds: float = 10.0
    """Time for the headers of the request to arrive."""
    upload_seconds: float = 60.0
    """Time for the request to arrive."""
    seconds: float = 120.0
    """Time until an answer is given up."""


def check(files: Sequence[MemoryFile], limits: Limits) -> dict[str, str]:
    """Check the files of a request.

    Args:
        files: Files of the request.
        limits: What it may hold.

    Returns:
        Name of a file that cannot be accepted on its own → why, in one sentence; others may be read.

    Raises:
        TooLargeError: There are too many files, or too many pixels altogether.
    """
    if len(files) > limits.files:
        raise TooLargeError(f"The request has {len(files)} files; at most {limits.files} are accepted at a time.")
    refused, total = {}, 0
    for file in files:
        try:
            total += _checked_pixels(file, limits)
        except DataError as error:
            refused[str(file)] = str(error)
    if total > 1e6 * limits.megapixels:
        raise TooLargeError(
            f"The request holds {total / 1e6:,.0f} million pixels; at most {limits.megapixels:,.0f} million are "
            "accepted at a time: send fewer files."
        )
    return refused


def _checked_pixels(file: MemoryFile, limits: Limits) -> int:
    """Return the number of pixels that a file unpacks to, judging by its header.

    Raises:
        DataError: The file cannot be read, or is too large.
    """
    if not file.content:
        raise DataError(f"{file} is empty; send it again.")
    frames, pixels = size_of(file)
    if frames > limits.frames:
        raise TooLargeError(f"{file} has {frames:,} slices; at most {limits.frames:,} are accepted.")
    if pixels > 1e6 * limits.file_megapixels:
        raise TooLargeError(
            f"{file} holds {pixels / 1e6:,.0f} million pixels; at most {limits.file_megapixels:,.0f} million are "
            "accepted."
        )
    return pixels


def size_of(file: MemoryFile) -> tuple[int, int]:
    """Return the number of slices and of pixels that a file promises, from its header alone.

    Raises:
        DataError: It is damaged, or of a kind that is not served.
    """
    kind = format_of(file)
    if kind == "nifti":
        return nifti.promised(file)
    if kind == "dicom":
        return _dicom_size(file)
    if kind == "raster":
        return 1, _raster_pixels(file)
    raise DataError(f"{file} is no image that is served; send JPEG, PNG, TIFF, DICOM or NIfTI.")


def _dicom_size(file: MemoryFile) -> tuple[int, int]:
    with as_data_error(file), silence_parsers():
        if _DEFLATED in file.content[:_META]:
            raise UnreadableError("is a deflated DICOM file; export it with another transfer syntax")
        data = open_dicom(file, ["Rows", "Columns", "NumberOfFrames", "SOPClassUID"])
        height, width = (int(as_number(safe_get(data, name)) or 0) for name in ("Rows", "Columns"))
        frames = frame_count(data)
    return frames, frames * height * width


def _raster_pixels(file: MemoryFile) -> int:
    try:
        with silence_parsers(), Image.open(file.open()) as image:
            return image.width * image.height
    except Image.DecompressionBombError:  # Pillow refuses to open it
        return 2 * (Image.MAX_IMAGE_PIXELS or 0)
    except (UnidentifiedImageError, *DECODE_ERRORS):
        if is_tiff(file) or is_tiff(file, big=True):
            return tiff_pixels(file)
        raise DataError(f"{file} holds no image of a known format; send JPEG, PNG, TIFF, DICOM or NIfTI.") from None
