"""Values of any range → grey, where no display window is given."""

import numpy as np
import numpy.typing as npt

FOREGROUND = 0.15
"""Share of the range above which a voxel counts as tissue: air's noise lies below a twentieth."""

_TAIL = 0.5  # per cent at either end that a few hot or dead voxels may hold


def robust_range(values: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Ends (black, white) of the grey scale of some values; values that are not finite are left out.

    Black is the 0.5th percentile. White is the 99.5th of the values above the minimum, so that the empty surroundings
    of a skull-stripped brain do not decide it. Where the two meet (a mask, a constant), minimum and maximum.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    least, most = float(finite.min()), float(finite.max())
    if least == most:
        return least, most
    low = float(np.percentile(finite, _TAIL))
    high = float(np.percentile(finite[finite > least], 100 - _TAIL))
    return (low, high) if low < high else (least, most)


def share(values: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.floating]:
    """Where values lie between ``low`` (0) and ``high`` (1), clipped; 0 if the two are one, NaN if not finite."""
    shares = np.clip((values - low) / (high - low), 0, 1) if low < high else np.zeros_like(values)
    return np.asarray(np.where(np.isfinite(values), shares, np.nan))


def to_grey(shares: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Shares 0 … 1 as uint8; what is not finite (padding, no measurement) becomes black."""
    return np.asarray(np.rint(np.where(np.isfinite(shares), shares, 0) * 255), np.uint8)
