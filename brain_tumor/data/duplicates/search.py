"""Find pairs of images that show the same slice, or slices of the same head, even where the files were altered.

Hashes propose pairs, correlation of the images decides. The thresholds were set on Cheng's 3,064 slices, which are all
distinct: no pair is reported as the same slice, and 3 of 4.7 million pairs of different patients as the same head.
``make bench`` repeats the measurement.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from brain_tumor.data.duplicates.alignment import aligned_similarity
from brain_tumor.data.duplicates.groups import components
from brain_tumor.data.duplicates.hashing import Hasher, build_index, neighbours, shrink
from brain_tumor.data.fingerprint import BOX, HEAD, ORIENTATIONS, SIDE, TURNED, WHOLE, inverse, mirror
from brain_tumor.data.images import Images
from brain_tumor.data.progress import progress
from brain_tumor.types import Flags, GreyImage, Rows

NEAR = {"whole": 0.99, "box": 0.98, "aligned": 0.994}
"""Correlation from which two images are the same slice: unaltered, cut to their bright boxes, or aligned."""
RELATED = {"whole": 0.96, "aligned": 0.985}
"""Correlation from which two images are slices of the same head."""
MIN_COSINE = {WHOLE: 0.85, HEAD: 0.85}
"""View → cosine of two hashes from which the pair is a candidate."""
MIN_COSINE_TURNED = 0.95
"""As `MIN_COSINE` for images lying on their side: such copies are made by quarter turns and otherwise unaltered."""
MAX_NEIGHBOURS = 32
"""Candidates per image, view and orientation; bounds the cost, and larger clusters are still connected."""
_MAX_ALIGNED = 4
"""Pairs that are aligned between two clusters of images: if the most similar do not match, the others will not."""
_BLOCK = 2048
_ORIENTATIONS = len(ORIENTATIONS) + len(TURNED)


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of distinct images; they may lie on disk and are read block by block.

    Pairs in this module are numbers of images: indices into ``rows``.
    """

    views: Images
    """Fingerprints of all files, uint8 [M, VIEWS, S, S]."""
    rows: Rows
    """Rows of ``views`` that hold distinct images that are not blank, int64 [N]."""

    def __len__(self) -> int:
        return len(self.rows)

    def view(self, view: int, images: "Rows | slice") -> GreyImage:
        """Read one view of some images, uint8 [K, S, S]."""
        return np.asarray(self.views[self.rows[images], view])


class Matches(NamedTuple):
    """Compared pairs of images, the number on the left below that on the right."""

    left: Rows
    right: Rows
    orientation: Rows
    """Orientation in which the right image resembles the left, see `brain_tumor.data.fingerprint.mirror`."""
    similarity: npt.NDArray[np.float32]
    """Largest correlation that was measured, up to 1."""
    near: Flags
    """Whether both show the same slice."""
    related: Flags
    """Whether both show slices of the same head; also set where ``near`` is."""


def find_matches(images: Fingerprints) -> Matches:
    """Find pairs of images that are near or related: enough of them to connect all that belong together."""
    candidates = propose(images)
    compared = _in_blocks(_compare, images, candidates, "Comparing images")
    worth_aligning = _worth_aligning(compared, len(images))
    upright = worth_aligning[compared.orientation[worth_aligning] < TURNED[0]]
    aligned = _in_blocks(_align, images, candidates[upright], "Aligning images")
    return _best_orientation(_concatenate([compared, aligned]))


def measure_pairs(images: Fingerprints, left: Rows, right: Rows) -> Matches:
    """Measure the similarity of given pairs in the orientation that fits best."""
    pairs = np.column_stack([left, right])
    by_orientation = [
        _in_blocks(_compare, images, np.column_stack([pairs, np.full(len(pairs), orientation)]), "Measuring duplicates")
        for orientation in (*ORIENTATIONS, *TURNED)
    ]
    similarity = np.stack([matches.similarity for matches in by_orientation])
    best = np.argmax(similarity, axis=0)
    aligned = _in_blocks(_align, images, np.column_stack([pairs, best]), "Measuring duplicates")
    return aligned._replace(similarity=np.maximum(aligned.similarity, similarity.max(axis=0)))


def propose(images: Fingerprints) -> Rows:
    """Find candidate pairs by their hashes.

    Returns:
        int64 [K, 3], unique and sorted rows (left, right, orientation) with left < right.
    """
    candidates = [np.empty(0, np.int64)]
    for view, min_cosine in MIN_COSINE.items() if len(images) > 1 else ():
        starts = range(0, len(images), _BLOCK)
        grids = np.concatenate([shrink(images.view(view, slice(start, start + _BLOCK))) for start in starts])
        hasher = Hasher.fit(grids)
        index = build_index(hasher(grids))
        for orientation in (*ORIENTATIONS, *TURNED):
            least = MIN_COSINE_TURNED if orientation in TURNED else min_cosine
            for queries, rows in neighbours(index, hasher(grids, orientation), least, MAX_NEIGHBOURS):
                left, right = np.minimum(queries, rows), np.maximum(queries, rows)
                of_right = np.where(queries > rows, orientation, inverse(orientation))
                keys = (left * len(images) + right) * _ORIENTATIONS + of_right
                candidates.append(np.unique(keys[left < right]))
    keys, orientations = np.divmod(np.unique(np.concatenate(candidates)), _ORIENTATIONS)
    return np.column_stack([*np.divmod(keys, max(1, len(images))), orientations])


def _in_blocks(compare: Callable[..., Matches], images: Fingerprints, pairs: Rows, description: str) -> Matches:
    """Compare pairs (rows of left, right, orientation) block by block, with a progress bar."""
    starts = range(0, len(pairs), _BLOCK)
    return _concatenate([compare(images, *pairs[start : start + _BLOCK].T) for start in progress(starts, description)])


def _compare(images: Fingerprints, left: Rows, right: Rows, orientation: Rows) -> Matches:
    """Compare whole images and, where these are not near, their bright boxes."""
    similarity = _correlation(images.view(WHOLE, left), _mirrored(images.view(WHOLE, right), orientation))
    related, near = similarity >= RELATED["whole"], similarity >= NEAR["whole"]
    rows = np.flatnonzero(~near)
    box = _correlation(images.view(BOX, left[rows]), _mirrored(images.view(BOX, right[rows]), orientation[rows]))
    near[rows] = box >= NEAR["box"]
    similarity[rows] = np.maximum(similarity[rows], box)
    related &= orientation < TURNED[0]  # only copies are turned
    return Matches(left, right, orientation, similarity, near, near | related)


def _align(images: Fingerprints, left: Rows, right: Rows, orientation: Rows) -> Matches:
    """Compare whole images after aligning the right one with the left one."""
    similarity = aligned_similarity(images.view(WHOLE, left), _mirrored(images.view(WHOLE, right), orientation))
    near = similarity >= NEAR["aligned"]
    return Matches(left, right, orientation, similarity, near, similarity >= RELATED["aligned"])


def _worth_aligning(compared: Matches, count: int) -> Rows:
    """Select pairs that no near pair connects yet: of those between two clusters the most similar few.

    Args:
        compared: Candidate pairs.
        count: Number of images.

    Returns:
        Indices into ``compared``, int64 [K], sorted.
    """
    cluster = components(count, compared.left[compared.near], compared.right[compared.near])
    low, high = np.sort([cluster[compared.left], cluster[compared.right]], axis=0)
    order = np.lexsort((-compared.similarity, high, low))
    order = order[low[order] != high[order]]
    starts = np.flatnonzero(_is_first(low[order], high[order]))
    sizes = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    return np.sort(order[rank < _MAX_ALIGNED])


def _best_orientation(matches: Matches) -> Matches:
    """Keep the related pairs, each once: near before not near, then the most similar orientation."""
    order = np.lexsort((-matches.similarity, ~matches.near, matches.right, matches.left))
    order = order[matches.related[order]]
    best = order[_is_first(matches.left[order], matches.right[order])]
    return Matches._make(column[best] for column in matches)


def _is_first(left: Rows, right: Rows) -> Flags:
    """Whether each pair of a sorted list of pairs differs from the one before it."""
    first = np.ones(len(left), np.bool_)
    first[1:] = (np.diff(left) != 0) | (np.diff(right) != 0)
    return first


def _mirrored(views: GreyImage, orientation: Rows) -> GreyImage:
    mirrored = views.copy()
    for value in (*ORIENTATIONS[1:], *TURNED):
        rows = orientation == value
        mirrored[rows] = mirror(views[rows], value)
    return mirrored


def _correlation(left: GreyImage, right: GreyImage) -> npt.NDArray[np.float32]:
    """Correlation of each image [N, S, S] with its counterpart, float32 [N]."""
    x, y = (images.reshape(len(images), SIDE * SIDE).astype(np.float32) for images in (left, right))
    for vectors in (x, y):
        vectors -= vectors.mean(axis=1, keepdims=True)
    covariance, variance_x, variance_y = (np.einsum("nd,nd->n", *both) for both in ((x, y), (x, x), (y, y)))
    return np.asarray(covariance / np.maximum(np.sqrt(variance_x * variance_y), 1e-6))


def _concatenate(matches: list[Matches]) -> Matches:
    rows, flags = np.empty(0, np.int64), np.empty(0, np.bool_)
    empty = Matches(rows, rows, rows, rows.astype(np.float32), flags, flags)
    return Matches._make(np.concatenate(columns) for columns in zip(empty, *matches, strict=True))
