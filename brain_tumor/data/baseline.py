"""The 1-NN baseline a model must beat: nearest neighbour on small pixels, mirrored too."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brain_tumor.data.fingerprint import WHOLE, unit
from brain_tumor.data.images import Images
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.types import Rows

BASELINE = "1-nearest-neighbour on 64 × 64 pixels, mirrored too"

MOST_QUERIES = 10_000
"""Images that are looked for at most, see `asked`."""
_BLOCK = 1024
_KNOWN = 8192
"""Known images looked among at once: 128 MB of them."""
_DRAWS = 20


def asked(queries: Rows, most: int = MOST_QUERIES) -> Rows:
    """All queries, or, where there are more than ``most``, that many of them, drawn once and for all.

    Each is compared with every known image: without a bound the baseline would cost the square of the data's size, and
    ten thousand tell it to half a percent.
    """
    if len(queries) <= most:
        return queries
    return np.sort(np.random.default_rng(0).choice(queries, most, replace=False))


def nearest(views: Images, known: Rows, queries: Rows) -> Rows:
    """For each query the known row whose image, as it is or mirrored left–right, correlates best with it.

    Args:
        views: Fingerprints, uint8 [N, VIEWS, S, S].
        known: Rows to look among.
        queries: Rows to look for.

    Returns:
        int64 [len(queries)].
    """
    found, best = np.empty(len(queries), np.int64), np.full(len(queries), -np.inf, np.float32)
    for block, few, alike in correlations(views, known, queries):
        place, value = alike.argmax(axis=1), alike.max(axis=1)
        found[block] = np.where(value > best[block], few[place], found[block])
        best[block] = np.maximum(value, best[block])
    return found


def correlations(views: Images, known: Rows, queries: Rows) -> Iterator[tuple[slice, Rows, npt.NDArray[np.float32]]]:
    """How alike queries and known images are, as they are or mirrored, whichever is more: in blocks that fit memory.

    Yields:
        A part of ``queries``, some rows of ``known``, and their correlations float32 [queries, known] in [-1, 1].
    """
    for first in range(0, len(known), _KNOWN):
        few = known[first : first + _KNOWN]
        even, odd = _even_and_odd(views[few, WHOLE])
        for start in range(0, len(queries), _BLOCK):
            own_even, own_odd = _even_and_odd(views[queries[start : start + _BLOCK], WHOLE])
            alike = own_even @ even.T
            alike += np.abs(own_odd @ odd.T)
            yield slice(start, start + len(alike)), few, alike


def _even_and_odd(images: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Unit vectors split into what mirroring left–right keeps and what it turns round, float32 [N, S · S / 2] each.

    The products of the parts add up to the correlation; their difference is that with the mirror image: both for the
    price of one.
    """
    vectors = unit(images).reshape(images.shape)
    half = images.shape[-1] // 2
    left, right = vectors[..., :half], vectors[..., ::-1][..., :half]
    parts = ((left + right) / np.sqrt(2, dtype=np.float32), (left - right) / np.sqrt(2, dtype=np.float32))
    return parts[0].reshape(len(vectors), -1), parts[1].reshape(len(vectors), -1)


def cached_nearest(entry: Path | None, views: Images, known: Rows, queries: Rows) -> Rows:
    """As `nearest`, remembered in the folder ``entry`` of these views, if there is one."""
    if entry is None:
        return nearest(views, known, queries)
    digest = hashlib.sha256(known.tobytes() + b"|" + queries.tobytes()).hexdigest()[:16]
    stored = entry / f"nearest-{digest}.npy"
    if stored.is_file():
        return np.asarray(np.load(stored))
    found = nearest(views, known, queries)
    with suppress(OSError), published_file(stored) as draft, draft.open("wb") as file:  # the cache may be read-only
        np.save(file, found)
    return found


def baseline_scores(labels: Sequence[Any] | npt.NDArray[Any], found: Rows, queries: Rows) -> dict[str, float]:
    """Macro-F1 and accuracy of taking over the class of the nearest known image."""
    from sklearn.metrics import accuracy_score, f1_score  # takes seconds to import

    labels = np.asarray(labels)
    return {
        "f1_macro": float(f1_score(labels[queries], labels[found], average="macro", zero_division=0)),
        "accuracy": float(accuracy_score(labels[queries], labels[found])),
    }


def random_label_accuracy(groups: npt.NDArray[Any], classes: int, found: Rows, queries: Rows, seed: int = 0) -> float:
    """Accuracy of the baseline when every group is given a random class: 1 / classes, unless groups cross the split."""
    _, code = np.unique(groups, return_inverse=True)
    draws = np.random.default_rng(seed).integers(classes, size=(_DRAWS, int(code.max()) + 1))
    return float((draws[:, code[queries]] == draws[:, code[found]]).mean())


Floats = npt.NDArray[np.float32]


def neighbours(views: Images, known: Rows, queries: Rows, count: int = 3) -> tuple[Rows, Floats]:
    """For each query the known images that correlate best with it, as they are or mirrored left–right.

    Args:
        views: Fingerprints, uint8 [N, VIEWS, S, S].
        known: Rows to look among.
        queries: Rows to look for.
        count: How many of each.

    Returns:
        Their rows int64 [Q, K] and correlations float32 [Q, K] in [-1, 1], the best first; K is ``count``, or all that
        are known where they are fewer.
    """
    count = min(count, len(known))
    found = np.zeros((len(queries), count), np.int64)
    best = np.full((len(queries), count), -np.inf, np.float32)
    for block, few, alike in correlations(views, known, queries):
        values = np.concatenate([best[block], alike], axis=1)
        rows = np.concatenate([found[block], np.broadcast_to(few, alike.shape)], axis=1)
        order = np.argsort(-values, axis=1, kind="stable")[:, :count]
        best[block], found[block] = (np.take_along_axis(each, order, axis=1) for each in (values, rows))
    return found, best
