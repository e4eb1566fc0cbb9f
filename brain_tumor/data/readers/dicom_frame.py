"""One frame of a DICOM file: its header, and its modality values before any window (DICOM PS3.3 C.11.1)."""

from dataclasses import dataclass

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

from brain_tumor.data.readers.dicom_attributes import FrameHeader, as_number, safe_get
from brain_tumor.data.readers.dicom_kind import is_mosaic
from brain_tumor.data.readers.grey import LUMA
from brain_tumor.data.readers.memory import File, source
from brain_tumor.data.readers.parser_errors import UnreadableError

Values = npt.NDArray[np.floating]

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_DECODERS = {
    **dict.fromkeys((JPEG2000, JPEG2000Lossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL), "pylibjpeg"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys((JPEGLossless, JPEGLosslessSV1), "gdcm"),
    JPEGBaseline8Bit: "pillow",
    RLELossless: "pydicom",
}
"""One decoder per transfer syntax, so that a file gives the same pixels whatever other decoders are installed."""


def open_dicom(file: File, tags: list[str] | None = None) -> Dataset:
    """Read a DICOM file; to be called within `as_data_error` and `silence_parsers`.

    Files without preamble or file meta information, as in old archives, are accepted.

    Args:
        file: File of the file.
        tags: Keywords of the only attributes to read, without pixels, of objects without an image, too; None reads the
            whole file.

    Raises:
        UnreadableError: It is not a DICOM file, or tags is None and it holds no image (a report, a plan, …).
    """
    data = pydicom.dcmread(source(file), force=True, stop_before_pixels=tags is not None, specific_tags=tags)
    if "Rows" not in data and (tags is None or not data.get("SOPClassUID")):
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
    return max(1, int(as_number(safe_get(data, "NumberOfFrames")) or 1))


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    values: Values
    """float64 [H, W]: modality values (after rescaling), NaN in padding; for colour images the luma in [0, 1]."""
    stored: Values
    """float64 [H, W]: values as stored, NaN in padding; for colour images the luma."""
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
    if is_mosaic(data):
        raise UnreadableError(
            "is a mosaic of several slices in one image; convert it to NIfTI, for example by dcm2niix"
        )
    header = FrameHeader(data, number)
    kind = str(data.PhotometricInterpretation)
    pixels = _stored_pixels(data, number)
    if kind == "PALETTE COLOR":
        luma = _palette_luma(pixels, data)
        return Frame(luma, luma, "PALETTE", header, data)
    if kind == "RGB" or kind.startswith("YBR_"):
        luma = _luma(pixels, int(data.BitsStored))
        return Frame(luma, luma, "RGB", header, data)
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnreadableError("has a photometric interpretation that is not supported; export it as grey or RGB")
    stored = np.where(_is_padding(pixels, header), np.nan, pixels.astype(np.float64))
    return Frame(_modality_values(stored, header), stored, pixels.dtype.name, header, data)


def _stored_pixels(data: Dataset, number: int) -> npt.NDArray[np.generic]:
    """Decode the stored values of a frame; those of uncompressed files from the bits that the header names."""
    syntax = UID(data.file_meta.TransferSyntaxUID)
    stored, allocated = int(data.get("BitsStored") or 0), int(data.get("BitsAllocated") or 0)
    high = as_number(safe_get(data, "HighBit"))
    decoder = decoder_for(syntax, stored)
    used = stored if high is None or not stored <= high + 1 <= allocated else int(high) + 1
    is_coded = syntax.is_encapsulated and syntax != RLELossless  # else the words are as in memory
    if used == stored or is_coded or "PixelData" not in data:
        return np.asarray(pixel_array(data, index=number, decoding_plugin=decoder))
    pixels = np.asarray(pixel_array(data, index=number, decoding_plugin=decoder, correct_unused_bits=False))
    return np.asarray((pixels << (allocated - used)) >> (allocated - stored))  # the second keeps the sign


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
    """Luma in [0, 1]; colours of more than 8 bits reach white at their maximum, as not all bits need be in use."""
    luma = np.asarray(rgb.astype(np.float64) @ LUMA)
    return luma / (2**bits - 1 if bits <= 8 else max(1.0, float(rgb.max())))


def _palette_luma(pixels: npt.NDArray[np.generic], data: Dataset) -> Values:
    """Luma in [0, 1] of palette indices; 8-bit entries may be stored as 16-bit words, whatever the descriptor says."""
    first, entries = (
        int(data.RedPaletteColorLookupTableDescriptor[1]),
        int(data.RedPaletteColorLookupTableDescriptor[0]),
    )
    palette = apply_color_lut(first + np.arange(entries or 2**16), data)
    white = 255 if palette.max() <= 255 else 65535
    return np.asarray(apply_color_lut(pixels, data).astype(np.float64) @ LUMA / white)


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


def _modality_values(values: Values, header: FrameHeader) -> Values:
    if table := header.get("ModalityLUTSequence"):
        return apply_lut(values, table[0])[0]
    slope, intercept = header.get_float("RescaleSlope"), header.get_float("RescaleIntercept")
    return values * (slope or 1.0) + (intercept or 0.0)  # a slope of 0 would erase the image


def apply_lut(values: Values, table: Dataset) -> tuple[Values, float]:
    """Map values through a lookup table; return them with the table's value for white.

    Tables are stored as bytes or as 16-bit words, each with one entry or, for 8-bit entries, also with two. White is
    the largest value of the stated number of bits, or of the 8 or 16 bits that the entries need.
    """
    entries, first, bits = (int(number) for number in table.LUTDescriptor)
    entries = entries or 2**16
    if first >= 2**15 and np.nanmin(values) < 0:
        first -= 2**16  # a negative number that was written as an unsigned one
    content = table.LUTData
    byte_order = "<" if table.original_encoding[1] is not False else ">"
    if not isinstance(content, bytes):
        words = np.atleast_1d(np.asarray(content, np.int64)) % 2**16
        content = words.astype(f"{byte_order}u2").tobytes()
    lut = np.frombuffer(content, f"{byte_order}u2" if len(content) >= 2 * entries else "u1")[:entries].astype(
        np.float64
    )
    index = np.clip(np.nan_to_num(np.rint(values)) - first, 0, len(lut) - 1).astype(np.int64)
    needed = 255.0 if lut.max() <= 255 else 65535.0
    stated = float(2**bits - 1)
    white = stated if lut.max() <= stated and stated <= needed else needed
    return np.where(np.isnan(values), np.nan, lut[index]), white
