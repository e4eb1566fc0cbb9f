"""Which pictures are asked about, where all would take too long."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def stratified(labels: Rows, limit: int | None, seed: int = 0) -> Rows:
    """Rows of at most ``limit`` images, drawn so that classes keep their shares and none is lost, ascending.

    Args:
        labels: int64 [N].
        limit: None takes all.
        seed: Same seed, same rows; a larger limit only adds to them.
    """
    if limit is None or len(labels) <= limit:
        return np.arange(len(labels))
    mixed = np.random.default_rng(seed).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = mixed[labels[mixed] == label]
        place[own] = np.arange(len(own)) / len(own)
    return np.sort(mixed[np.argsort(place[mixed], kind="stable")[:limit]])
