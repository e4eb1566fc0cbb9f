"""How a DICOM frame is to be shown: window, VOI LUT, polarity. Source: DICOM PS3.3 C.11.2."""

import numpy as np

from brain_tumor.data.formats.dicom_header import FrameHeader
from brain_tumor.data.formats.dicom_values import Frame, Values, is_transformed, look_up
from brain_tumor.data.formats.intensity import robust_range, share


def displayed(frame: Frame) -> Values:
    """Shares of white 0 … 1, float [H, W], NaN where padded, as a viewer shows them at first.

    The VOI LUT or the first window of the file decides. Without one (or with one that leaves nothing to see) unsigned
    8-bit pictures stay as they are and others are stretched between robust ends. MONOCHROME1 is inverted.
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
