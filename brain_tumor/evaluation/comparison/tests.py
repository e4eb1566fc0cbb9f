"""DeLong's test, McNemar's test, and Holm's adjustment for many comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, binomtest, norm, rankdata

from brain_tumor.types import Flags, Floats

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


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """The exact conditional test (McNemar 1947), and its mid-p, which is less conservative (Fagerland et al. 2013).

    Both take images for independent: with several images a patient they are too sure.

    Args:
        first: bool [N], where the first model is right.
        second: bool [N], where the second is, on the same images.

    Returns:
        ``only_first`` and ``only_second`` (images that only one has right), ``p`` and ``mid_p``, both two-sided in
        [0, 1].
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
