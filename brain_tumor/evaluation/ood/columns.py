"""What a gate says, in a predictions table: columns ``foreign`` (True, False) and ``foreignness``; empty: no gate."""

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


def with_foreignness(table: pd.DataFrame, foreignness: Floats | None) -> pd.DataFrame:
    """Add both columns to a predictions table, after all others.

    Args:
        table: Of N images.
        foreignness: float64 [N], above 0 is foreign; None or NaN: no gate was asked.
    """
    scores = pd.Series(np.nan if foreignness is None else foreignness, index=table.index, dtype=float)
    return table.assign(foreign=(scores > 0).astype("boolean").mask(scores.isna()), foreignness=scores)


def foreignness_of(table: pd.DataFrame) -> Floats | None:
    """The foreignness float64 [N] in a predictions table; None where it holds none."""
    if "foreignness" not in table:
        return None
    scores = pd.to_numeric(table["foreignness"], errors="coerce").to_numpy(np.float64)
    return scores if np.isfinite(scores).all() else None
