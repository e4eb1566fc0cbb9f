"""Which images must stand on one side of a split: the same patient, the same group, the same image."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def linked_groups(
    *keys: "pd.Series[str]", links: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None
) -> npt.NDArray[np.int64]:
    """Number the groups of rows that are linked, directly or through others, by an equal non-empty key.

    Args:
        keys: Columns of one table; rows with equal values in one column belong together, empty values link nothing.
        links: Further pairs of rows that belong together.

    Returns:
        int64 [N], dense group numbers in order of first appearance.
    """
    edges = [_edges(key) for key in keys] + ([links] if links else [])
    left, right = (np.concatenate(side) for side in zip(*edges, strict=True))
    return components(len(keys[0]), left, right)


def components(count: int, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number the groups of ``count`` rows that links between rows ``left`` and ``right`` hold together.

    Returns:
        int64 [count], dense group numbers in order of first appearance.
    """
    links = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    _, component = connected_components(links, directed=False)
    return pd.factorize(component)[0].astype(np.int64)


def _edges(key: "pd.Series[str]") -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Link every row with the first row of the same non-empty key."""
    rows = np.flatnonzero(key.to_numpy() != "").astype(np.int64)
    codes, _ = pd.factorize(key.to_numpy()[rows])
    _, first = np.unique(codes, return_index=True)
    return rows, rows[first][codes]
