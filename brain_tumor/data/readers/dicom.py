"""DICOM files: MR, CT and whatever else holds images, single- and multi-frame, in all usual compressions."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brain_tumor.data.readers.dicom_header import FrameHeader, frame_count, opened
from brain_tumor.data.readers.dicom_values import Frame, Values, decode, is_transformed, look_up
from brain_tumor.data.readers.grey import Reading, robust_range, share, square_pixels, to_grey
from brain_tumor.data.readers.guard import UnreadableError, guard, quiet


def displayed(frame: Frame) -> Values:
    """Shares of white 0 … 1, float [H, W], NaN where padded, as a viewer shows them at first.

    The VOI LUT or the first window of the file decides. Without one (or with one that leaves nothing to see) unsigned
    8-bit images stay as they are and others are stretched between robust ends. MONOCHROME1 is inverted.
    """
    if frame.stored in ("RGB", "PALETTE"):
        return frame.values
    shown = _windowed(frame.values, frame.header)
    if shown is None or (_is_blank(shown) and not _is_blank(frame.values)):
        plain = frame.stored == "uint8" and frame.data.BitsStored == 8 and not is_transformed(frame.header)
        shown = share(frame.values, *((0.0, 255.0) if plain else robust_range(frame.values)))
    return 1 - shown if frame.data.PhotometricInterpretation == "MONOCHROME1" else shown


def _is_blank(values: Values) -> bool:
    finite = values[np.isfinite(values)]
    return not finite.size or bool((finite == finite[0]).all())


def _windowed(values: Values, header: FrameHeader) -> Values | None:
    if table := header.get("VOILUTSequence"):
        output, white = look_up(values, table[0])
        return output / white
    centre, width = header.number("WindowCenter"), header.number("WindowWidth")
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
    return share(values, centre - width / 2, centre + width / 2)


def read(file: Path, slices: Sequence[str]) -> Iterator[Reading]:
    """Read frames of a DICOM file as grey images, upright as stored and bright as a viewer shows them at first.

    Slice ``""`` is the only frame of a file, ``"3"`` the fourth of several. Rescale, VOI LUT or window, and MONOCHROME1
    are followed; without a window the frame's 0.5th to 99.5th percentile is stretched (8-bit images stay as they
    are). Colour becomes luma (ITU-R 601) and padding black. Pixels that are not square are made so: the anatomy keeps
    its proportions, as in slices out of NIfTI files. Overlays are not drawn; what is burned into the pixels, be it a
    name, stays there. Messages never quote the header.

    Raises:
        DataError: The file is damaged, holds no image, is compressed in a way that is not read, or has no such frame.
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


def _square(image: npt.NDArray[np.uint8], header: FrameHeader) -> npt.NDArray[np.uint8]:
    height, width = header.numbers("PixelSpacing", 2) or header.numbers("PixelAspectRatio", 2) or (1.0, 1.0)
    return square_pixels(image, height, width)
