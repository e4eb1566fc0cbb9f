"""Pairs of images that show the same slice, or slices of the same head, whatever was done to the files.

Hashes propose, a closer look decides. The thresholds were set on Cheng's 3,064 slices, which are all distinct: no two
of them are near, and 3 of 4.7 million pairs of two patients are related. ``make bench`` measures it again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from brain_tumor.data.duplicates.alignment import aligned_similarity
from brain_tumor.data.duplicates.groups import components
from brain_tumor.data.duplicates.hashing import Hasher, index_of, neighbours, shrunk
from brain_tumor.data.fingerprint import BOX, HEAD, ORIENTATIONS, SIDE, WHOLE, mirror
from brain_tumor.data.images import Images as Fingerprints
from brain_tumor.data.progress import progress
from brain_tumor.types import Rows

NEAR = {"whole": 0.99, "box": 0.98, "aligned": 0.994}
"""Correlation from which two images are the same slice: as they are, cut to their bright boxes, or aligned."""
RELATED = {"whole": 0.96, "aligned": 0.985}
"""Correlation from which they are slices of the same head."""
_PROPOSED = {WHOLE: 0.85, HEAD: 0.85}
"""View → cosine of its hashes from which a pair is looked at."""
_MOST = 32
"""Pairs looked at for each image, view and orientation: bounds the cost; larger clusters still hang together."""
_ATTEMPTS = 4
"""Pairs aligned between two clusters of images: if the most alike do not fit, the others will not."""
_BLOCK = 2048

Views = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """Rows of the fingerprints, which may lie on disk: they are read block by block."""

    views: Fingerprints
    """uint8 [N, VIEWS, S, S]."""
    rows: Rows
    """Which of them; the numbers of images elsewhere in this module are places in this list."""

    def __len__(self) -> int:
        return len(self.rows)

    def view(self, number: int, places: "Rows | slice") -> Views:
        """One view of the images at some places, uint8 [K, S, S]."""
        return np.asarray(self.views[self.rows[places], number])


class Matches(NamedTuple):
    """Pairs of rows, the first below the second."""

    left: Rows
    right: Rows
    orientation: Rows
    """How the one is mirrored against the other, see `brain_tumor.data.fingerprint`."""
    similarity: npt.NDArray[np.float32]
    """The largest correlation found."""
    near: npt.NDArray[np.bool_]
    """The same slice."""
    related: npt.NDArray[np.bool_]
    """Slices of the same head, near or not."""


def match(images: Images) -> Matches:
    """Find pairs among images that are near or related: enough of them to link all that belong together.

    Args:
        images: None of them blank.
    """
    proposed = _propose(images)
    at_sight = _in_blocks(_compare, images, proposed, "Comparing images")
    open_ = _worth_aligning(at_sight, len(images))
    aligned = _in_blocks(_align, images, proposed[open_], "Laying images over each other")
    return _best([at_sight, aligned])


def measure(images: Images, left: Rows, right: Rows) -> Matches:
    """How alike given pairs are, in the orientation that fits best; near and related as measured here."""
    pairs = np.column_stack([left, right])
    seen = [
        _in_blocks(_compare, images, np.column_stack([pairs, np.full(len(pairs), one)]), "Measuring copies")
        for one in ORIENTATIONS
    ]
    best = np.argmax([part.similarity for part in seen], axis=0)
    laid = _in_blocks(_align, images, np.column_stack([pairs, best]), "Measuring copies")
    at_sight = np.max([part.similarity for part in seen], axis=0)
    return laid._replace(similarity=np.maximum(laid.similarity, at_sight))


def _compare(images: Images, left: Rows, right: Rows, orientation: Rows) -> Matches:
    """Pairs as they are, and, where that does not tell, cut to their bright boxes."""
    similarity = _correlation(images.view(WHOLE, left), _turn(images.view(WHOLE, right), orientation))
    related, near = similarity >= RELATED["whole"], similarity >= NEAR["whole"]
    rows = np.flatnonzero(~near)
    box = _correlation(images.view(BOX, left[rows]), _turn(images.view(BOX, right[rows]), orientation[rows]))
    near[rows] = box >= NEAR["box"]
    similarity[rows] = np.maximum(similarity[rows], box)
    return Matches(left, right, orientation, similarity, near, near | related)


def _align(images: Images, left: Rows, right: Rows, orientation: Rows) -> Matches:
    """Pairs laid over each other."""
    similarity = aligned_similarity(images.view(WHOLE, left), _turn(images.view(WHOLE, right), orientation))
    near = similarity >= NEAR["aligned"]
    return Matches(left, right, orientation, similarity, near, similarity >= RELATED["aligned"])


def _worth_aligning(seen: Matches, count: int) -> Rows:
    """Pairs that are not linked by others yet; of those between the same two clusters the few that are most alike."""
    cluster = components(count, seen.left[seen.near], seen.right[seen.near])
    one, other = np.sort([cluster[seen.left], cluster[seen.right]], axis=0)
    order = np.lexsort((-seen.similarity, other, one))
    order = order[one[order] != other[order]]
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(one[order]) != 0) | (np.diff(other[order]) != 0)
    starts = np.flatnonzero(new)
    rank = np.arange(len(order)) - starts[np.cumsum(new) - 1]
    return np.sort(order[rank < _ATTEMPTS])


def _in_blocks(judge: Callable[..., Matches], images: Images, pairs: Rows, doing: str) -> Matches:
    starts = range(0, len(pairs), _BLOCK)
    return _joined([judge(images, *pairs[at : at + _BLOCK].T) for at in progress(starts, doing)])


def _propose(images: Images) -> Rows:
    """Pairs whose hashes are near, with the orientation: unique rows (left, right, orientation), left < right."""
    proposed = [np.empty(0, np.int64)]
    for view, least in _PROPOSED.items() if len(images) > 1 else ():
        starts = range(0, len(images), _BLOCK)
        grids = np.concatenate([shrunk(images.view(view, slice(at, at + _BLOCK))) for at in starts])
        hasher = Hasher.fit(grids)
        index = index_of(hasher(grids))
        for orientation in ORIENTATIONS:
            for one, other in neighbours(index, hasher(grids, orientation), least, _MOST):
                left, right = np.minimum(one, other), np.maximum(one, other)
                keys = (left * len(images) + right) * len(ORIENTATIONS) + orientation
                proposed.append(np.unique(keys[left < right]))
    keys, orientations = np.divmod(np.unique(np.concatenate(proposed)), len(ORIENTATIONS))
    return np.column_stack([*np.divmod(keys, max(1, len(images))), orientations])


def _turn(views: Views, orientation: Rows) -> Views:
    turned = views.copy()
    for value in ORIENTATIONS[1:]:
        rows = orientation == value
        turned[rows] = mirror(views[rows], value)
    return turned


def _correlation(one: Views, other: Views) -> npt.NDArray[np.float32]:
    """Of images pair by pair, float32 [N]."""
    x, y = (images.reshape(len(images), SIDE * SIDE).astype(np.float32) for images in (one, other))
    for vectors in (x, y):
        vectors -= vectors.mean(axis=1, keepdims=True)
    shared, spread_x, spread_y = (np.einsum("nd,nd->n", *both) for both in ((x, y), (x, x), (y, y)))
    return np.asarray(shared / np.maximum(np.sqrt(spread_x * spread_y), 1e-6))


def _joined(parts: list[Matches]) -> Matches:
    nothing = np.empty(0, np.int64)
    empty = Matches(nothing, nothing, nothing, nothing.astype(np.float32), *2 * (nothing.astype(np.bool_),))
    return Matches._make(np.concatenate(columns) for columns in zip(empty, *parts, strict=True))


def _best(parts: list[Matches]) -> Matches:
    """Of each related pair the orientation that fits best."""
    every = _joined(parts)
    order = np.lexsort((-every.similarity, ~every.near, every.right, every.left))
    order = order[every.related[order]]
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(every.left[order]) != 0) | (np.diff(every.right[order]) != 0)
    return Matches._make(column[order[first]] for column in every)
