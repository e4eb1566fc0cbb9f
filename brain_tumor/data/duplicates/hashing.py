"""Hash images so that similar images have similar hashes, and search for the most similar hashes.

At low resolution all brains look alike; they differ in directions of low variance. A hash is therefore a 12 × 12 view,
projected onto its principal axes and half whitened (each axis is divided by the square root of its standard deviation):
hashes of distinct images are nearly orthogonal, while a shift or a crop of a few percent changes a hash little.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.fingerprint import ORIENTATIONS, mirror, unit
from brain_tumor.types import GreyImage, Rows

GRID, LENGTH = 12, 48
"""Side of the view that is hashed, in pixels, and length of a hash."""
_MAX_FIT = 20_000
"""Largest number of images that the axes are fitted on."""
_MAX_EXACT = 20_000
"""Largest number of hashes that are all compared with each other; more hashes are sorted into cells first."""
_PROBES = 6
"""Cells that are searched for each query."""

Hashes = npt.NDArray[np.float32]
Grids = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hasher:
    """Compute hashes of small views."""

    centre: Hashes
    """Mean view, float32 [GRID · GRID]."""
    axes: Hashes
    """Scaled principal axes, float32 [GRID · GRID, LENGTH]."""

    @classmethod
    def fit(cls, grids: Grids) -> "Hasher":
        """Fit the axes to small views in all mirror orientations.

        Args:
            grids: Output of `shrink`, float32 [N, GRID, GRID].
        """
        sample = grids[:: -(-len(grids) // _MAX_FIT)]
        flat = np.concatenate([unit(mirror(sample, orientation)) for orientation in ORIENTATIONS])
        centre = flat.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov((flat - centre).T))
        largest = np.argsort(-variance)[:LENGTH]
        scale = np.maximum(variance[largest], 1e-9) ** -0.25
        return cls(centre, np.ascontiguousarray(axes[:, largest] * scale, np.float32))

    def __call__(self, grids: Grids, orientation: int = 0) -> Hashes:
        """Mirror small views and hash them, float32 [N, LENGTH] of unit length."""
        projected = (unit(mirror(grids, orientation)) - self.centre) @ self.axes
        return np.asarray(projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-9))


def shrink(views: GreyImage) -> Grids:
    """Shrink views [N, S, S] to the input of a `Hasher`, float32 [N, GRID, GRID]."""
    small = (cv2.resize(np.float32(view), (GRID, GRID), interpolation=cv2.INTER_AREA) for view in views)
    return np.fromiter(small, np.dtype((np.float32, (GRID, GRID))), len(views))


def build_index(hashes: Hashes) -> Any:
    """Build an index that finds the hashes with the largest cosine.

    Many hashes are sorted into cells, so that the cost of searching all of them grows as N^1.5 instead of N².
    """
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it logs its build options on import
    import faiss

    length = hashes.shape[1]
    index: Any = faiss.IndexFlatIP(length)
    if len(hashes) > _MAX_EXACT:
        cells = int(4 * len(hashes) ** 0.5)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(length), length, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed, index.cp.niter, index.cp.max_points_per_centroid = 0, 8, 32
        index.nprobe = _PROBES
        index.train(hashes)
    index.add(hashes)
    return index


def neighbours(
    index: Any, queries: Hashes, min_cosine: float, max_neighbours: int, block: int = 8192
) -> Iterator[tuple[Rows, Rows]]:
    """Search an index for the nearest neighbours of queries.

    Args:
        index: Output of `build_index`.
        queries: Hashes float32 [Q, LENGTH].
        min_cosine: Cosine from which a hash is a neighbour.
        max_neighbours: Number of neighbours per query that are returned at most.
        block: Number of queries that are searched at once.

    Yields:
        Query numbers int64 [K] and row numbers of the index int64 [K], block by block of queries.
    """
    for start in range(0, len(queries), block):
        cosines, rows = index.search(queries[start : start + block], max_neighbours)
        query, rank = np.nonzero((cosines >= min_cosine) & (rows >= 0))
        yield query + start, rows[query, rank]
