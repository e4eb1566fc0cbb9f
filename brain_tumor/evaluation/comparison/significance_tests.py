"""DeLong's test, McNemar's test, and Holm's adjustment for many comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, binomtest, norm, rankdata

from brain_tumor.types import Flags, Floats

_FEWEST = 2
"""Positives, and negatives, that an estimate of the variance needs."""


@dataclass(frozen=True)
class Placements:
    """Rank of each image among those of the other label: the structural components of DeLong et al. (1988)."""

    above: Floats
    """[positives], share of negatives with a lower score; ties count half."""
    below: Floats
    """[negatives], share of positives with a higher score; ties count half."""

    @property
    def area(self) -> float:
        """Area under the ROC curve."""
        return float(self.above.mean())


def placements(positive: Flags, score: Floats) -> Placements | None:
    """Compute placements from midranks, in O(N log N) (Sun & Xu 2014).

    Args:
        positive: Labels, bool [N].
        score: Scores, float64 [N], higher for positives.

    Returns:
        None with fewer than 2 positives or negatives, where the variance is undefined.
    """
    up, down = score[positive], score[~positive]
    if min(len(up), len(down)) < _FEWEST:
        return None
    ranks = rankdata(np.concatenate([up, down]))
    above = (ranks[: len(up)] - rankdata(up)) / len(down)
    below = 1 - (ranks[len(up) :] - rankdata(down)) / len(up)
    return Placements(above, below)


def delong(first: Placements, second: Placements, level: float = 0.95) -> dict[str, Any]:
    """Compare two correlated areas under ROC curves (DeLong, DeLong & Clarke-Pearson 1988).

    The test assumes independent images: with several images per patient its p-value is too small.

    Args:
        first: Placements of one model.
        second: Placements of another model, on the same images in the same order.
        level: Coverage of the interval, in (0, 1).

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
    """Compute the squared standard error of the mean."""
    return float(values.var(ddof=1)) / len(values)


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Compute the exact conditional test (McNemar 1947) and its less conservative mid-p (Fagerland et al. 2013).

    Both assume independent images: with several images per patient the p-values are too small.

    Args:
        first: Whether the first model is right, bool [N].
        second: Whether the second model is right, bool [N], on the same images.

    Returns:
        ``only_first`` and ``only_second`` (number of images that only one model has right), ``p`` and ``mid_p``, both
        two-sided in [0, 1].
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    fewer, discordant = min(only_first, only_second), only_first + only_second
    p = float(binomtest(fewer, discordant).pvalue) if discordant else 1.0
    at = float(binom.pmf(fewer, discordant, 0.5))
    mid_p = p - (at / 2 if only_first == only_second else at)
    return {
        "only_first": only_first,
        "only_second": only_second,
        "p": p,
        "mid_p": mid_p if discordant else 1.0,
    }


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values so that the family-wise error rate stays at its level (Holm 1979).

    Args:
        p: p-values of one family; an undefined one (None) does not count as a test.

    Returns:
        Adjusted p-values in the given order, each between its own p and 1.
    """
    given = [index for index, value in enumerate(p) if value is not None]
    values = np.array([p[index] for index in given], np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    adjusted: list[float | None] = [None] * len(p)
    for index, step in zip(order, steps, strict=True):
        adjusted[given[index]] = min(float(step), 1.0)
    return adjusted
