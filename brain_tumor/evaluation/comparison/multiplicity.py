"""Many comparisons at once: one of them looks like a difference by chance alone."""

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values that keep the chance of any false finding at its level (Holm 1979).

    Args:
        p: Of one family; what is undefined (None) was no test and does not count.

    Returns:
        In the order given, each at least its own p and at most 1.
    """
    given = [index for index, value in enumerate(p) if value is not None]
    values = np.array([p[index] for index in given], np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    adjusted: list[float | None] = [None] * len(p)
    for index, step in zip(order, steps, strict=True):
        adjusted[given[index]] = min(float(step), 1.0)
    return adjusted
