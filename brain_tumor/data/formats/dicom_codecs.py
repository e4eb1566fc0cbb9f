"""Which decoder reads which compression of DICOM."""

from pydicom.pixels.decoders.base import get_decoder
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

from brain_tumor.data.formats.guard import UnreadableError

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
