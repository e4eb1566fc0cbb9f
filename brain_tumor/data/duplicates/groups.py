"""Group images that must stay in one split: images of one patient, of one given group, or of one slice."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from brain_tumor.types import Rows


def linked_groups(*keys: "pd.Series[str]", links: tuple[Rows, Rows] | None = None) -> Rows:
    """Number the groups of rows that are linked, directly or through other rows, by an equal non-empty key.

    Args:
        keys: Columns of one table; rows with equal values in one column belong together, empty values link nothing.
        links: Additional pairs of rows that belong together, as left rows and right rows.

    Returns:
        int64 [N], group numbers from 0 without gaps, in order of first appearance.
    """
    edges = [_edges(key) for key in keys] + ([links] if links else [])
    left, right = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    return components(len(keys[0]), left, right)


def components(count: int, left: Rows, right: Rows) -> Rows:
    """Number the connected components of ``count`` rows.

    Args:
        count: Number of rows.
        left: First row of each link, int64 [K].
        right: Second row of each link, int64 [K].

    Returns:
        int64 [count], component numbers from 0 without gaps, in order of first appearance.
    """
    links = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    _, component = connected_components(links, directed=False)
    return pd.factorize(component)[0].astype(np.int64)


def _edges(key: "pd.Series[str]") -> tuple[Rows, Rows]:
    """Link every row to the first row with the same non-empty key."""
    rows = np.flatnonzero(key.to_numpy() != "").astype(np.int64)
    codes, _ = pd.factorize(key.to_numpy()[rows])
    _, first = np.unique(codes, return_index=True)
    return rows, rows[first][codes]
