"""Attributes of images besides their class, as text; evaluation forms subgroups by them."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.images import Images
from brain_tumor.types import Rows

_MAX_DISTINCT = 5
"""Number of distinct values up to which values are not binned."""


def attributes(samples: pd.DataFrame, facts: pd.DataFrame, images: Images, rows: Rows) -> pd.DataFrame:
    """Return source, plane, file format, longer side and mean grey value of some images; unknown values are empty.

    Args:
        samples: Samples table, N rows.
        facts: Facts of `brain_tumor.data.cache.decoding.Decoded`, N rows.
        images: uint8 [N, H, W].
        rows: int64 [n], rows of the images, in the order of the result.

    Returns:
        Table of n rows of text: ``source, plane, format, side, brightness``; ``side`` and ``brightness`` are binned
        into thirds if they have more than five distinct values.
    """
    selected = facts.iloc[rows]
    side = selected[["width", "height"]].apply(pd.to_numeric, errors="coerce").max(axis=1).fillna(0).to_numpy()
    brightness = np.array([images[[row]].mean() for row in rows])
    return pd.DataFrame(
        {
            "source": samples["source"].to_numpy(object)[rows],
            "plane": samples["plane"].to_numpy(object)[rows],
            "format": selected["format"].to_numpy(object),
            "side": _to_text(side, " px"),
            "brightness": _to_text(brightness, ""),
        }
    )


def _to_text(values: npt.NDArray[np.float64], unit: str) -> npt.NDArray[np.object_]:
    if len(np.unique(values)) <= _MAX_DISTINCT:
        return np.array([f"{value:.0f}{unit}" for value in values], dtype=object)
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    bins = np.array([f"≤ {low:.0f}{unit}", f"{low:.0f}–{high:.0f}{unit}", f"> {high:.0f}{unit}"], dtype=object)
    text: npt.NDArray[np.object_] = bins[(values > low).astype(int) + (values > high).astype(int)]
    return text
