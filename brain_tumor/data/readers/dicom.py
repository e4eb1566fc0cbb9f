"""Reader of DICOM files: MR, CT and all others with images, single- and multi-frame, in all common compressions."""

from collections.abc import Iterator, Sequence

import numpy as np

from brain_tumor.data.readers.dicom_attributes import FrameHeader
from brain_tumor.data.readers.dicom_frame import (
    Frame,
    Values,
    apply_lut,
    decode_frame,
    frame_count,
    is_rescaled,
    open_dicom,
)
from brain_tumor.data.readers.grey import Reading, resample_to_square_pixels, rescale, robust_range, unit_to_uint8
from brain_tumor.data.readers.memory import File
from brain_tumor.data.readers.parser_errors import UnreadableError, as_data_error, silence_parsers
from brain_tumor.types import GreyImage

_LEAST_CONTRAST = 8 / 255
"""Range of an image in [0, 1] below which it shows nothing."""


def read(file: File, slices: Sequence[str]) -> Iterator[Reading]:
    """Read frames of a DICOM file as grey images, upright as stored and with the brightness that a viewer shows first.

    Slice ``""`` is the only frame of a file, ``"3"`` the fourth of several. Rescale, VOI LUT or window, and MONOCHROME1
    are applied; without a window the frame is stretched between its 0.5th and 99.5th percentile (8-bit images stay as
    they are). Colour becomes luma (ITU-R 601) and padding black. Non-square pixels are resampled to square ones, so
    that anatomy keeps its proportions, as in slices of NIfTI files. Overlays are not drawn; text burned into the
    pixels (a name, for example) stays. Error messages never quote the header.

    Raises:
        DataError: The file is damaged, contains no image, has an unsupported compression, or has no such frame.
    """
    with as_data_error(file), silence_parsers():
        data = open_dicom(file)
        count = frame_count(data)
    for name in slices:
        with as_data_error(file), silence_parsers():
            frame = decode_frame(data, _frame_number(name, count))
        with as_data_error(file), np.errstate(all="ignore"):
            image = _with_square_pixels(unit_to_uint8(displayed_values(frame)), frame.header)
        yield Reading(image, "DICOM", frame.stored_type)


def _frame_number(name: str, count: int) -> int:
    if name == "" and count > 1:
        raise UnreadableError(f"contains {count} frames; name one of #0 to #{count - 1}")
    if name and not (name.isascii() and name.isdigit() and int(name) < count):
        raise UnreadableError(f"has no frame {name[:40]!r}; expected a number from 0 to {count - 1}")
    return int(name or 0)


def displayed_values(frame: Frame) -> Values:
    """Compute the brightness that a viewer shows first, float [H, W] in [0, 1] with NaN in padding.

    The VOI LUT or the first window of the file is applied. If it makes the image blank or nearly so, it is applied to
    the stored values, which some exports mean. Without one that shows the image, unsigned 8-bit images stay as they are
    and others are stretched to their robust range. MONOCHROME1 is inverted.
    """
    if frame.stored_type in ("RGB", "PALETTE"):
        return frame.values
    values = next((shown for shown in _windowed(frame) if not _is_nearly_blank(shown)), None)
    if values is None:
        is_plain_8_bit = frame.stored_type == "uint8" and frame.data.BitsStored == 8 and not is_rescaled(frame.header)
        stretched = _ordered(frame)
        values = rescale(stretched, *((0.0, 255.0) if is_plain_8_bit else robust_range(stretched)))
    return 1 - values if frame.data.PhotometricInterpretation == "MONOCHROME1" else values


def _ordered(frame: Frame) -> Values:
    """Return values in the order of the modality values; stored ones, as a tiny slope leaves too few digits."""
    if frame.header.get("ModalityLUTSequence"):
        return frame.values
    return -frame.stored if (frame.header.get_float("RescaleSlope") or 1.0) < 0 else frame.stored


def _windowed(frame: Frame) -> Iterator[Values]:
    """Yield the image through its VOI LUT or window: applied to the modality values, then to the stored ones."""
    for values in (frame.values, frame.stored) if is_rescaled(frame.header) else (frame.values,):
        shown = _apply_window(values, frame.header)
        if shown is not None:
            yield shown


def _is_nearly_blank(values: Values) -> bool:
    """Whether values in [0, 1] differ by less than 8 of 255 grey levels."""
    finite = values[np.isfinite(values)]
    return not finite.size or float(finite.max() - finite.min()) < _LEAST_CONTRAST


def _apply_window(values: Values, header: FrameHeader) -> Values | None:
    """Apply the VOI LUT or the window of a header; None if it has neither, or an invalid one."""
    if table := header.get("VOILUTSequence"):
        output, white = apply_lut(values, table[0])
        return output / white
    centre, width = header.get_float("WindowCenter"), header.get_float("WindowWidth")
    if centre is None or width is None:
        return None
    function = str(header.get("VOILUTFunction") or "LINEAR").upper()
    if width < 1 if function == "LINEAR" else width <= 0:
        return None
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return np.where(np.isnan(values), np.nan, values > centre)
    return rescale(values, centre - width / 2, centre + width / 2)


def _with_square_pixels(image: GreyImage, header: FrameHeader) -> GreyImage:
    height, width = header.get_floats("PixelSpacing", 2) or header.get_floats("PixelAspectRatio", 2) or (1.0, 1.0)
    return resample_to_square_pixels(image, height, width)
