"""The 1-NN baseline that a model must exceed: the nearest neighbour on small images, mirrored or not."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brain_tumor.data.cache.results import stored_result
from brain_tumor.data.fingerprint import WHOLE, unit
from brain_tumor.data.images import Images
from brain_tumor.types import GreyImage, Rows

BASELINE = "1-nearest-neighbour on 64 × 64 pixels, mirrored too"
"""Name of the baseline in reports."""
MAX_QUERIES = 10_000
"""Largest number of images whose neighbours are searched, see `sample_queries`."""
_QUERY_BLOCK = 1024
_REFERENCE_BLOCK = 8192
"""Reference images that are compared at once; 8,192 take 128 MB."""
_DRAWS = 20

Correlations = npt.NDArray[np.float32]


def sample_queries(queries: Rows, limit: int = MAX_QUERIES) -> Rows:
    """Return all queries, or a fixed random sample where there are more than ``limit``.

    Each query is compared with every reference image: without a limit the cost would grow with the square of the number
    of images, and 10,000 queries estimate the accuracy to half a percentage point.
    """
    if len(queries) <= limit:
        return queries
    return np.sort(np.random.default_rng(0).choice(queries, limit, replace=False))


def nearest(views: Images, reference: Rows, queries: Rows) -> Rows:
    """Find the reference image that correlates best with each query, mirrored left–right or not.

    Args:
        views: Fingerprints, uint8 [N, VIEWS, S, S].
        reference: Rows of the reference images.
        queries: Rows of the query images.

    Returns:
        Rows of reference images, int64 [len(queries)].
    """
    rows, best = np.empty(len(queries), np.int64), np.full(len(queries), -np.inf, np.float32)
    for block, reference_rows, values in correlations(views, reference, queries):
        column, value = values.argmax(axis=1), values.max(axis=1)
        rows[block] = np.where(value > best[block], reference_rows[column], rows[block])
        best[block] = np.maximum(value, best[block])
    return rows


def neighbours(views: Images, reference: Rows, queries: Rows, count: int = 3) -> tuple[Rows, Correlations]:
    """Find the reference images that correlate best with each query, mirrored left–right or not.

    Args:
        views: Fingerprints, uint8 [N, VIEWS, S, S].
        reference: Rows of the reference images.
        queries: Rows of the query images.
        count: Number of neighbours of each query.

    Returns:
        Rows int64 [Q, K] and correlations float32 [Q, K] in [-1, 1], the highest first; K is the smaller of ``count``
        and the number of reference images.
    """
    count = min(count, len(reference))
    rows = np.zeros((len(queries), count), np.int64)
    best = np.full((len(queries), count), -np.inf, np.float32)
    for block, reference_rows, values in correlations(views, reference, queries):
        all_values = np.concatenate([best[block], values], axis=1)
        all_rows = np.concatenate([rows[block], np.broadcast_to(reference_rows, values.shape)], axis=1)
        order = np.argsort(-all_values, axis=1, kind="stable")[:, :count]
        best[block] = np.take_along_axis(all_values, order, axis=1)
        rows[block] = np.take_along_axis(all_rows, order, axis=1)
    return rows, best


def correlations(views: Images, reference: Rows, queries: Rows) -> Iterator[tuple[slice, Rows, Correlations]]:
    """Correlate queries with reference images, mirrored or not, whichever is higher, in blocks that fit into memory.

    Yields:
        A slice of ``queries``, some rows of ``reference``, and their correlations float32 [queries, reference] in
        [-1, 1].
    """
    for first in range(0, len(reference), _REFERENCE_BLOCK):
        rows = reference[first : first + _REFERENCE_BLOCK]
        even, odd = _even_and_odd(views[rows, WHOLE])
        for start in range(0, len(queries), _QUERY_BLOCK):
            query_even, query_odd = _even_and_odd(views[queries[start : start + _QUERY_BLOCK], WHOLE])
            values = query_even @ even.T
            values += np.abs(query_odd @ odd.T)
            yield slice(start, start + len(values)), rows, values


def _even_and_odd(images: GreyImage) -> tuple[Correlations, Correlations]:
    """Split unit vectors into parts that are even and odd under left–right mirroring, float32 [N, S · S / 2] each.

    The sum of the parts' products is the correlation of two images, the difference that with the mirrored image; so
    both cost as much as one.
    """
    vectors = unit(images).reshape(images.shape)
    half = images.shape[-1] // 2
    left, right = vectors[..., :half], vectors[..., ::-1][..., :half]
    parts = ((left + right) / np.sqrt(2, dtype=np.float32), (left - right) / np.sqrt(2, dtype=np.float32))
    return parts[0].reshape(len(vectors), -1), parts[1].reshape(len(vectors), -1)


def cached_nearest(results: Path | None, views: Images, reference: Rows, queries: Rows) -> Rows:
    """Find nearest neighbours as `nearest` does, or read them where they were stored before.

    Args:
        results: Folder for results on the images of ``views``; None stores nothing.
        views: Fingerprints, uint8 [N, VIEWS, S, S].
        reference: Rows of the reference images.
        queries: Rows of the query images.
    """
    digest = hashlib.sha256(reference.tobytes() + b"|" + queries.tobytes()).hexdigest()[:16]
    return stored_result(
        results,
        f"nearest-{digest}",
        "searches nearest neighbours",
        compute=lambda: nearest(views, reference, queries),
        to_bytes=lambda rows: rows.tobytes(),
        from_bytes=lambda content: np.frombuffer(content, np.int64),
    )


def baseline_scores(labels: Sequence[Any] | npt.NDArray[Any], nearest_rows: Rows, queries: Rows) -> dict[str, float]:
    """Macro-F1 and accuracy of predicting the class of the nearest reference image.

    Args:
        labels: Class of each image, [N].
        nearest_rows: Row of the nearest reference image of each query, int64 [Q].
        queries: Rows of the query images, int64 [Q].
    """
    from sklearn.metrics import accuracy_score, f1_score  # takes seconds to import

    labels = np.asarray(labels)
    return {
        "f1_macro": float(f1_score(labels[queries], labels[nearest_rows], average="macro", zero_division=0)),
        "accuracy": float(accuracy_score(labels[queries], labels[nearest_rows])),
    }


def random_label_accuracy(
    groups: npt.NDArray[Any], classes: int, nearest_rows: Rows, queries: Rows, seed: int = 0
) -> float:
    """Accuracy of the baseline with a random class per group: 1 / classes, unless groups cross the split.

    Args:
        groups: Group of each image, [N].
        classes: Number of classes.
        nearest_rows: Row of the nearest reference image of each query, int64 [Q].
        queries: Rows of the query images, int64 [Q].
        seed: Seed of the random classes.
    """
    _, code = np.unique(groups, return_inverse=True)
    draws = np.random.default_rng(seed).integers(classes, size=(_DRAWS, int(code.max()) + 1))
    return float((draws[:, code[queries]] == draws[:, code[nearest_rows]]).mean())
