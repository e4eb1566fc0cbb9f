"""The values of one DICOM frame, and which decoder reads which compression (modality: DICOM PS3.3 C.11.1)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from brain_tumor.data.readers.dicom_header import FrameHeader
from brain_tumor.data.readers.guard import UnreadableError

_PLUGINS = {
    **dict.fromkeys((JPEG2000, JPEG2000Lossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL), "pylibjpeg"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys((JPEGLossless, JPEGLosslessSV1), "gdcm"),
    JPEGBaseline8Bit: "pillow",
    RLELossless: "pydicom",
}
"""One decoder for each syntax, so that the same file gives the same pixels whatever else is installed."""


def plugin_for(syntax: UID, bits: int) -> str:
    """Name of the decoder for a transfer syntax and bits per value, empty where any installed one will do.

    Raises:
        UnreadableError: Nothing installed reads it.
    """
    name = syntax.name.partition(" (")[0]
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnreadableError(f"is compressed as {name}, which is not read; export it uncompressed") from None
    plugin = _PLUGINS.get(syntax, "")
    if syntax == JPEGExtended12Bit:  # more than 8 bits: only pylibjpeg-libjpeg, which is GPL and left to the user
        plugin = "pillow" if bits <= 8 else "pylibjpeg"
    if not decoder.is_available or (plugin and plugin not in decoder.available_plugins):
        raise UnreadableError(f"is compressed as {name}, for which no decoder is installed; export it uncompressed")
    return plugin


Values = npt.NDArray[np.floating]

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


@dataclass(frozen=True)
class Frame:
    """One frame, decoded."""

    values: Values
    """float64 [H, W]: modality values (after rescale), NaN where padded; of colour the luma, 0 … 1."""
    stored: str
    """Dtype of the stored values, or RGB."""
    header: FrameHeader
    data: Dataset


def decode(data: Dataset, number: int) -> Frame:
    """Decode frame ``number`` (from 0) of a data set.

    Raises:
        UnreadableError: Its compression or its colours cannot be read.
    """
    header = FrameHeader(data, number)
    kind = str(data.PhotometricInterpretation)
    plugin = plugin_for(UID(data.file_meta.TransferSyntaxUID), int(data.get("BitsStored") or 0))
    pixels = pixel_array(data, index=number, decoding_plugin=plugin)
    if kind == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, data)
        return Frame(_luma(pixels, 8 * pixels.dtype.itemsize), "PALETTE", header, data)
    if kind == "RGB" or kind.startswith("YBR_"):
        return Frame(_luma(pixels, int(data.BitsStored)), "RGB", header, data)
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnreadableError("has colours of a kind that is not read; export it as grey or RGB")
    values = np.where(_padding(pixels, header), np.nan, _modality(pixels, header))
    return Frame(values, pixels.dtype.name, header, data)


def brightness(frame: Frame) -> Values:
    """Values that grow with what is shown brighter, comparable between the frames of a series."""
    return -frame.values if frame.data.PhotometricInterpretation == "MONOCHROME1" else frame.values


def _luma(rgb: npt.NDArray[np.generic], bits: int) -> Values:
    return np.asarray(rgb.astype(np.float64) @ _LUMA / (2**bits - 1))


def _padding(pixels: npt.NDArray[np.generic], header: FrameHeader) -> npt.NDArray[np.bool_]:
    first = header.number("PixelPaddingValue")
    if first is None or pixels.dtype.kind not in "iu":
        return np.zeros(pixels.shape, np.bool_)
    last = header.number("PixelPaddingRangeLimit")
    written = np.array([first, first if last is None else last], np.int64)
    ends = written.astype(pixels.dtype)  # of signed pixels it is at times written unsigned
    return np.asarray((pixels >= ends.min()) & (pixels <= ends.max()))


def is_transformed(header: FrameHeader) -> bool:
    """Does a modality LUT or rescale change the stored values?"""
    return bool(header.get("ModalityLUTSequence")) or (
        (header.number("RescaleSlope"), header.number("RescaleIntercept")) not in ((None, None), (1.0, 0.0))
    )


def _modality(pixels: npt.NDArray[np.generic], header: FrameHeader) -> Values:
    values = pixels.astype(np.float64)
    if table := header.get("ModalityLUTSequence"):
        return look_up(values, table[0])[0]
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept")
    return values * (slope or 1.0) + (intercept or 0.0)  # a slope of 0 would wipe the image out


def look_up(values: Values, table: Dataset) -> tuple[Values, float]:
    """Values through a LUT, and the LUT's white."""
    entries, first, bits = (int(number) for number in table.LUTDescriptor)
    entries = entries or 2**16
    content = table.LUTData
    if isinstance(content, bytes):
        wide = len(content) >= 2 * entries
        order = "<" if table.original_encoding[1] is not False else ">"
        content = np.frombuffer(content, f"{order}u2" if wide else "u1")
    lut = np.asarray(content, np.float64)[:entries]
    index = np.clip(np.nan_to_num(np.rint(values)) - first, 0, len(lut) - 1).astype(np.int64)
    return np.where(np.isnan(values), np.nan, lut[index]), float(2**bits - 1)
