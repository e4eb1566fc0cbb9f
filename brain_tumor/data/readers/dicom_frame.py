"""One frame of a DICOM file: its header, and its modality values before any window (DICOM PS3.3 C.11.1)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from brain_tumor.data.readers.parser_errors import UnreadableError

Values = npt.NDArray[np.floating]

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_DECODERS = {
    **dict.fromkeys((JPEG2000, JPEG2000Lossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL), "pylibjpeg"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys((JPEGLossless, JPEGLosslessSV1), "gdcm"),
    JPEGBaseline8Bit: "pillow",
    RLELossless: "pydicom",
}
"""One decoder per transfer syntax, so that a file gives the same pixels whatever other decoders are installed."""


def open_dicom(file: Path, tags: list[str] | None = None) -> Dataset:
    """Read a DICOM file; to be called within `as_data_error` and `silence_parsers`.

    Files without preamble or file meta information, as in old archives, are accepted.

    Args:
        file: Path of the file.
        tags: Keywords of the only attributes to read, without pixels; None reads the whole file.

    Raises:
        UnreadableError: It is not a DICOM file, or one without an image (a report, a plan, a DICOMDIR, …).
    """
    data = pydicom.dcmread(file, force=True, stop_before_pixels=tags is not None, specific_tags=tags)
    if "Rows" not in data:
        uid = data.get("SOPClassUID") or getattr(data, "file_meta", {}).get("MediaStorageSOPClassUID")
        if uid:
            raise UnreadableError(f"contains no image ({UID(uid).name}); remove it")
        raise UnreadableError("is not a DICOM file; remove it or correct its suffix")
    if tags is None:
        if not any(keyword in data for keyword in _PIXELS):
            raise UnreadableError("contains no pixel data (it is truncated or only a header); export it again")
        _set_missing_transfer_syntax(data)
    return data


def _set_missing_transfer_syntax(data: Dataset) -> None:
    """Set the transfer syntax that the parser detected, if the file does not name one."""
    if "TransferSyntaxUID" in data.file_meta:
        return
    if "PixelData" in data and data["PixelData"].is_undefined_length:
        raise UnreadableError("does not name the compression of its pixel data (no transfer syntax); export it again")
    implicit, little = data.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def frame_count(data: Dataset) -> int:
    """Return the number of frames in a data set; 1 if it does not name one."""
    return max(1, int(data.get("NumberOfFrames") or 1))


class FrameHeader:
    """The attributes of one frame: its per-frame functional groups, then the shared ones, then the data set.

    Source: DICOM PS3.3 C.7.6.16, Multi-frame Functional Groups.

    Args:
        data: Data set of the file.
        number: Number of the frame, from 0.
    """

    def __init__(self, data: Dataset, number: int) -> None:
        per_frame = data.get("PerFrameFunctionalGroupsSequence") or []
        shared = data.get("SharedFunctionalGroupsSequence") or []
        groups = [*per_frame[number : number + 1], *shared[:1]]
        macros = [element.value for group in groups for element in group if element.VR == "SQ"]
        self._datasets = [*(macro[0] for macro in macros if macro), data]

    def get(self, keyword: str) -> Any:
        """Return the value of an attribute, None if it is missing or empty."""
        values = (dataset.get(keyword) for dataset in self._datasets)
        return next((value for value in values if value is not None and value != "" and value != []), None)

    def get_float(self, keyword: str) -> float | None:
        """Return the value of a numeric attribute, the first if it has several, None if it is missing."""
        value = self.get(keyword)
        return None if value is None else float(value[0] if _has_several_values(value) else value)

    def get_floats(self, keyword: str, count: int) -> list[float] | None:
        """Return the values of a numeric attribute, None if it does not have exactly ``count`` of them."""
        value = self.get(keyword)
        return [float(item) for item in value] if _has_several_values(value) and len(value) == count else None


def _has_several_values(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    values: Values
    """float64 [H, W]: modality values (after rescaling), NaN in padding; for colour images the luma in [0, 1]."""
    stored_type: str
    """Pixel type in the file: a dtype, RGB or PALETTE."""
    header: FrameHeader
    data: Dataset


def decode_frame(data: Dataset, number: int) -> Frame:
    """Decode a frame of a data set.

    Args:
        data: Data set, as `open_dicom` returns it.
        number: Number of the frame, from 0.

    Raises:
        UnreadableError: Its compression or its photometric interpretation is not supported.
    """
    header = FrameHeader(data, number)
    kind = str(data.PhotometricInterpretation)
    decoder = decoder_for(UID(data.file_meta.TransferSyntaxUID), int(data.get("BitsStored") or 0))
    pixels = pixel_array(data, index=number, decoding_plugin=decoder)
    if kind == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, data)
        return Frame(_luma(pixels, 8 * pixels.dtype.itemsize), "PALETTE", header, data)
    if kind == "RGB" or kind.startswith("YBR_"):
        return Frame(_luma(pixels, int(data.BitsStored)), "RGB", header, data)
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnreadableError("has a photometric interpretation that is not supported; export it as grey or RGB")
    values = np.where(_is_padding(pixels, header), np.nan, _modality_values(pixels, header))
    return Frame(values, pixels.dtype.name, header, data)


def decoder_for(syntax: UID, bits: int) -> str:
    """Return the name of the decoder for a transfer syntax, empty if any installed one will do.

    Args:
        syntax: Transfer syntax.
        bits: Bits stored per value.

    Raises:
        UnreadableError: The syntax is not supported, or its decoder is not installed.
    """
    name = syntax.name.partition(" (")[0]
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnreadableError(f"is compressed as {name}, which is not supported; export it uncompressed") from None
    plugin = _DECODERS.get(syntax, "")
    if syntax == JPEGExtended12Bit:  # only pylibjpeg-libjpeg decodes more than 8 bits; it is GPL and left to the user
        plugin = "pillow" if bits <= 8 else "pylibjpeg"
    if not decoder.is_available or (plugin and plugin not in decoder.available_plugins):
        raise UnreadableError(f"is compressed as {name}, for which no decoder is installed; export it uncompressed")
    return plugin


def brightness(frame: Frame) -> Values:
    """Return values that increase with displayed brightness and are comparable between the frames of a series."""
    return -frame.values if frame.data.PhotometricInterpretation == "MONOCHROME1" else frame.values


def _luma(rgb: npt.NDArray[np.generic], bits: int) -> Values:
    return np.asarray(rgb.astype(np.float64) @ _LUMA / (2**bits - 1))


def _is_padding(pixels: npt.NDArray[np.generic], header: FrameHeader) -> npt.NDArray[np.bool_]:
    first = header.get_float("PixelPaddingValue")
    if first is None or pixels.dtype.kind not in "iu":
        return np.zeros(pixels.shape, np.bool_)
    last = header.get_float("PixelPaddingRangeLimit")
    limits = np.array([first, first if last is None else last], np.int64)
    limits = limits.astype(pixels.dtype)  # some scanners write it unsigned although the pixels are signed
    return np.asarray((pixels >= limits.min()) & (pixels <= limits.max()))


def is_rescaled(header: FrameHeader) -> bool:
    """Return whether a modality LUT or a rescale changes the stored values."""
    return bool(header.get("ModalityLUTSequence")) or (
        (header.get_float("RescaleSlope"), header.get_float("RescaleIntercept")) not in ((None, None), (1.0, 0.0))
    )


def _modality_values(pixels: npt.NDArray[np.generic], header: FrameHeader) -> Values:
    values = pixels.astype(np.float64)
    if table := header.get("ModalityLUTSequence"):
        return apply_lut(values, table[0])[0]
    slope, intercept = header.get_float("RescaleSlope"), header.get_float("RescaleIntercept")
    return values * (slope or 1.0) + (intercept or 0.0)  # a slope of 0 would erase the image


def apply_lut(values: Values, table: Dataset) -> tuple[Values, float]:
    """Map values through a lookup table; return them with the table's value for white."""
    entries, first, bits = (int(number) for number in table.LUTDescriptor)
    entries = entries or 2**16
    content = table.LUTData
    if isinstance(content, bytes):
        is_16_bit = len(content) >= 2 * entries
        byte_order = "<" if table.original_encoding[1] is not False else ">"
        content = np.frombuffer(content, f"{byte_order}u2" if is_16_bit else "u1")
    lut = np.asarray(content, np.float64)[:entries]
    index = np.clip(np.nan_to_num(np.rint(values)) - first, 0, len(lut) - 1).astype(np.int64)
    return np.where(np.isnan(values), np.nan, lut[index]), float(2**bits - 1)
