"""What is known of each image beside its class, as text: evaluation cuts the data into parts by it."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.images import Images

_FEW = 5


def attributes(samples: pd.DataFrame, facts: pd.DataFrame, images: Images, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Source, plane, file format, longer side and mean grey value of some images; unknown = empty.

    Args:
        samples: The samples table, N rows.
        facts: N rows, see `brain_tumor.data.cache.decoding.Decoded`.
        images: uint8 [N, H, W].
        rows: int64 [n], those asked for, in their order.

    Returns:
        n rows of text: ``source, plane, format, side, brightness``; numbers of more than five values are cut into
        thirds.
    """
    chosen = facts.iloc[rows]
    side = chosen[["width", "height"]].apply(pd.to_numeric, errors="coerce").max(axis=1).fillna(0).to_numpy()
    grey = np.array([images[[row]].mean() for row in rows])
    return pd.DataFrame(
        {
            "source": samples["source"].to_numpy(object)[rows],
            "plane": samples["plane"].to_numpy(object)[rows],
            "format": chosen["format"].to_numpy(object),
            "side": _named(side, " px"),
            "brightness": _named(grey, ""),
        }
    )


def _named(values: npt.NDArray[np.float64], unit: str) -> npt.NDArray[np.object_]:
    if len(np.unique(values)) <= _FEW:
        return np.array([f"{value:.0f}{unit}" for value in values], dtype=object)
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    names = np.array([f"≤ {low:.0f}{unit}", f"{low:.0f}–{high:.0f}{unit}", f"> {high:.0f}{unit}"], dtype=object)
    named: npt.NDArray[np.object_] = names[(values > low).astype(int) + (values > high).astype(int)]
    return named
