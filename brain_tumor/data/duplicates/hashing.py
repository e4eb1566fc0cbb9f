"""Hashes that are alike for images that are alike, and the search for the nearest of them.

Brains look alike at low resolution; what tells them apart are the directions in which they vary little. A hash
is therefore a 12 × 12 view, turned to its principal axes and half whitened: distinct images come out nearly
orthogonal, while a shift or a crop of a few percent changes a hash little.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.fingerprint import ORIENTATIONS, mirror, unit

GRID, LENGTH = 12, 48
_FIT = 20_000
"""Images that the axes are learnt from."""
_EXACT = 20_000
"""Up to this many hashes all are compared; more are sorted into cells first."""
_PROBES = 6

Hashes = npt.NDArray[np.float32]
Grids = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hasher:
    """Turns small views into hashes."""

    centre: Hashes
    axes: Hashes

    @classmethod
    def fit(cls, grids: Grids) -> "Hasher":
        """Learn the axes from shrunk views and all their mirror images."""
        sample = grids[:: -(-len(grids) // _FIT)]
        flat = np.concatenate([unit(mirror(sample, orientation)) for orientation in ORIENTATIONS])
        centre = flat.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov((flat - centre).T))
        largest = np.argsort(-variance)[:LENGTH]
        half_white = np.maximum(variance[largest], 1e-9) ** -0.25
        return cls(centre, np.ascontiguousarray(axes[:, largest] * half_white, np.float32))

    def __call__(self, grids: Grids, orientation: int = 0) -> Hashes:
        """Hashes float32 [N, LENGTH] of unit length of shrunk views, mirrored first."""
        turned = (unit(mirror(grids, orientation)) - self.centre) @ self.axes
        return np.asarray(turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9))


def shrunk(views: npt.NDArray[np.uint8]) -> Grids:
    """Views [N, S, S] as a hasher takes them, float32 [N, GRID, GRID]."""
    small = (cv2.resize(np.float32(view), (GRID, GRID), interpolation=cv2.INTER_AREA) for view in views)
    return np.fromiter(small, np.dtype((np.float32, (GRID, GRID))), len(views))


def index_of(hashes: Hashes) -> Any:
    """An index to search for neighbours by cosine; above some size in cells, so that cost grows as N^1.5, not N²."""
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells how it was built
    import faiss

    length = hashes.shape[1]
    index: Any = faiss.IndexFlatIP(length)
    if len(hashes) > _EXACT:
        cells = int(4 * len(hashes) ** 0.5)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(length), length, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed, index.cp.niter, index.cp.max_points_per_centroid = 0, 8, 32
        index.nprobe = _PROBES
        index.train(hashes)
    index.add(hashes)
    return index


def neighbours(
    index: Any, queries: Hashes, least: float, most: int, block: int = 8192
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Pairs (query, row of the index) whose cosine is ``least`` at least, the ``most`` nearest of each query.

    Yields:
        int64 [K] and int64 [K], block by block of queries.
    """
    for start in range(0, len(queries), block):
        cosines, rows = index.search(queries[start : start + block], most)
        query, rank = np.nonzero((cosines >= least) & (rows >= 0))
        yield query + start, rows[query, rank]
