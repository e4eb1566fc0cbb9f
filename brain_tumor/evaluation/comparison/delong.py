"""DeLong's test: do the areas under two ROC curves of the same images differ?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_FEWEST = 2
"""Positives, and negatives, that a variance needs."""


@dataclass(frozen=True)
class Placements:
    """Where each image stands among those of the other side: the structural components of DeLong et al. (1988)."""

    above: Floats
    """[positives], share of the negatives that score less, ties counted half."""
    below: Floats
    """[negatives], share of the positives that score more, ties counted half."""

    @property
    def area(self) -> float:
        """Area under the ROC curve."""
        return float(self.above.mean())


def placements(positive: Flags, score: Floats) -> Placements | None:
    """From midranks, in O(N log N) (Sun & Xu 2014).

    Args:
        positive: bool [N].
        score: float64 [N], higher for positives.

    Returns:
        None where there are fewer than 2 positives or negatives, so that nothing can be said of the variance.
    """
    up, down = score[positive], score[~positive]
    if min(len(up), len(down)) < _FEWEST:
        return None
    ranks = rankdata(np.concatenate([up, down]))
    above = (ranks[: len(up)] - rankdata(up)) / len(down)
    below = 1 - (ranks[len(up) :] - rankdata(down)) / len(up)
    return Placements(above, below)


def delong(first: Placements, second: Placements, level: float = 0.95) -> dict[str, Any]:
    """Two correlated areas (DeLong, DeLong & Clarke-Pearson 1988).

    Images are taken for independent: with several images a patient the test is too sure.

    Args:
        first: Of one model.
        second: Of another, on the same images in the same order.
        level: Of the interval.

    Returns:
        ``first`` and ``second`` (areas), ``difference`` (first − second), ``standard_error``, ``ci_low``, ``ci_high``,
        and the two-sided ``p``, which is None where unequal areas have no variance (each perfect or perfectly wrong).
    """
    variance = _squared_error(first.above - second.above) + _squared_error(first.below - second.below)
    difference, error = first.area - second.area, float(np.sqrt(variance))
    margin = float(norm.ppf((1 + level) / 2)) * error
    p = 1.0 if difference == 0 else None
    if error > 0:
        p = float(2 * norm.sf(abs(difference) / error))
    return {
        "first": first.area,
        "second": second.area,
        "difference": difference,
        "standard_error": error,
        "ci_low": difference - margin,
        "ci_high": difference + margin,
        "p": p,
    }


def _squared_error(values: Floats) -> float:
    """Of their mean."""
    return float(values.var(ddof=1)) / len(values)
