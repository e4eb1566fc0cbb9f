"""DICOM files: MR, CT and whatever else holds pictures, single- and multi-frame, in all usual compressions."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brain_tumor.data.formats.dicom_display import displayed
from brain_tumor.data.formats.dicom_header import FrameHeader, frame_count, opened
from brain_tumor.data.formats.dicom_values import decode
from brain_tumor.data.formats.guard import UnreadableError, guard, quiet
from brain_tumor.data.formats.intensity import to_grey
from brain_tumor.data.formats.picture import Reading
from brain_tumor.data.formats.square import square_pixels


def read(file: Path, slices: Sequence[str]) -> Iterator[Reading]:
    """Read frames of a DICOM file as grey pictures, upright as stored and bright as a viewer shows them at first.

    Slice ``""`` is the only frame of a file, ``"3"`` the fourth of several. Rescale, VOI LUT or window, and MONOCHROME1
    are followed; without a window the frame's 0.5th to 99.5th percentile is stretched (8-bit pictures stay as they
    are). Colour becomes luma (ITU-R 601) and padding black. Pixels that are not square are made so: the anatomy keeps
    its proportions, as in slices out of NIfTI files. Overlays are not drawn; what is burned into the pixels, be it a
    name, stays there. Messages never quote the header.

    Raises:
        DataError: The file is damaged, holds no picture, is compressed in a way that is not read, or has no such frame.
    """
    with guard(file), quiet():
        data = opened(file)
        count = frame_count(data)
    for name in slices:
        with guard(file), quiet():
            frame = decode(data, _number(name, count))
        with guard(file), np.errstate(all="ignore"):
            reading = Reading(_square(to_grey(displayed(frame)), frame.header), "DICOM", frame.stored)
        yield reading


def _number(name: str, count: int) -> int:
    if name == "" and count > 1:
        raise UnreadableError(f"holds {count} frames; name one, from #0 to #{count - 1}")
    if name and not (name.isascii() and name.isdigit() and int(name) < count):
        raise UnreadableError(f"has no frame {name[:40]!r}; it holds {count}, counted from 0")
    return int(name or 0)


def _square(picture: npt.NDArray[np.uint8], header: FrameHeader) -> npt.NDArray[np.uint8]:
    height, width = header.numbers("PixelSpacing", 2) or header.numbers("PixelAspectRatio", 2) or (1.0, 1.0)
    return square_pixels(picture, height, width)
