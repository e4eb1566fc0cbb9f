"""The pictures most like a given one, found as `brain_tumor.data.floor` finds the nearest."""

import numpy as np
import numpy.typing as npt

from brain_tumor.data.floor import correlations
from brain_tumor.data.pictures import Pictures, Rows

Floats = npt.NDArray[np.float32]


def neighbours(views: Pictures, known: Rows, queries: Rows, count: int = 3) -> tuple[Rows, Floats]:
    """For each query the known pictures that correlate best with it, as they are or mirrored left–right.

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
