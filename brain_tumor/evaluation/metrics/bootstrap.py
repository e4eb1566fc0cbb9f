"""Confidence intervals by a bootstrap over groups, since images of one patient are not independent."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import norm

from brain_tumor.types import Floats, Rows

Statistics = Callable[[Floats], dict[str, Floats]]
"""Function weights float64 [B, N] → {name: values float64 [B]}, NaN where a statistic is undefined."""
Interval = tuple[float, float]
BIASED = ("ece", "ece_mass", "ece_classwise")
"""Metrics whose resamples are biased upwards: the absolute errors of bins grow with every repeated image (Bröcker and
Smith 2007), so that intervals of the other kind lie beside the value."""
_CHUNK_CELLS = 2_000_000  # weights per chunk: 16 MB, which fits in large CPU caches
_JACKKNIFE_BLOCKS = 200


def intervals(
    statistics: Statistics, groups: Rows, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Compute bias-corrected and accelerated bootstrap intervals (BCa, Efron 1987), all statistics at once.

    Resamples in which a statistic is undefined are excluded from its interval. Those of `BIASED` statistics are moved
    so that their mean is the value itself.

    Args:
        statistics: Function that computes the statistics of weighted images.
        groups: Group numbers int64 [N], from 0 without gaps.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.
        level: Confidence level, in (0, 1).

    Returns:
        Name → (low, high); NaN where the statistic is undefined.
    """
    with np.errstate(invalid="ignore"):
        point = statistics(np.ones((1, len(groups))))
        resampled = _evaluate(statistics, group_weights(groups, resamples, seed))
        jackknife = _evaluate(statistics, jackknife_weights(groups, seed))
    spans = {}
    for name, (value,) in point.items():
        if name in BIASED:
            spans[name] = recentred(float(value), resampled[name], level)
        else:
            spans[name] = _bca(float(value), resampled[name], jackknife[name], level)
    return spans


def recentred(point: float, resampled: Floats, level: float) -> Interval:
    """Compute the interval of a `BIASED` statistic: percentiles of resamples whose mean was moved to the value itself.

    Args:
        point: Value on all images, at least 0.
        resampled: Values in the resamples, float64 [B]; NaN where undefined.
        level: Confidence level, in (0, 1).

    Returns:
        (low, high), low at least 0; NaN where the statistic is undefined.
    """
    resampled = resampled[np.isfinite(resampled)]
    if not (np.isfinite(point) and len(resampled)):
        return np.nan, np.nan
    low, high = np.quantile(resampled - resampled.mean() + point, [(1 - level) / 2, (1 + level) / 2])
    return max(0.0, min(float(low), point)), max(float(high), point)


def group_weights(groups: Rows, resamples: int, seed: int) -> Iterator[Floats]:
    """Draw bootstrap samples of whole groups (Field & Welsh 2007), as the number of times that each image is drawn.

    Args:
        groups: Group numbers int64 [N], from 0 without gaps.
        resamples: Number of bootstrap resamples, B.
        seed: Seed of the bootstrap.

    Yields:
        float64 [b, N], chunks of rows that add up to B rows.
    """
    rng = np.random.default_rng(seed)
    n = int(groups.max()) + 1
    for rows in _chunks(resamples, len(groups)):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=len(rows))
        yield counts[:, groups].astype(np.float64)


def jackknife_weights(groups: Rows, seed: int = 0) -> Iterator[Floats]:
    """Build the weights of a jackknife that leaves one group out per row; with over 200 groups, a block of groups.

    Args:
        groups: Group numbers int64 [N], from 0 without gaps.
        seed: Seed of the assignment of groups to blocks.

    Yields:
        float64 [b, N], chunks of rows.
    """
    n = int(groups.max()) + 1
    blocks = np.random.default_rng(seed).permutation(n) % _JACKKNIFE_BLOCKS
    for rows in _chunks(min(n, _JACKKNIFE_BLOCKS), len(groups)):
        yield (blocks[groups] != np.array(rows)[:, None]).astype(np.float64)


def _chunks(rows: int, length: int) -> Iterator[range]:
    """Split row numbers into chunks of at most `_CHUNK_CELLS` weights."""
    chunk = max(1, _CHUNK_CELLS // length)
    for start in range(0, rows, chunk):
        yield range(start, min(start + chunk, rows))


def _evaluate(statistics: Statistics, chunks: Iterator[Floats]) -> dict[str, Floats]:
    """Compute the statistics of all chunks and concatenate them."""
    values = [statistics(weights) for weights in chunks]
    return {name: np.concatenate([chunk[name] for chunk in values]) for name in values[0]}


def _bca(point: float, resampled: Floats, jackknife: Floats, level: float) -> Interval:
    resampled, jackknife = resampled[np.isfinite(resampled)], jackknife[np.isfinite(jackknife)]
    if not (np.isfinite(point) and len(resampled)):
        return np.nan, np.nan
    below = (np.mean(resampled < point) + np.mean(resampled <= point)) / 2
    bias = norm.ppf(np.clip(below, 1 / (len(resampled) + 1), len(resampled) / (len(resampled) + 1)))
    shifted = bias + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(resampled, norm.cdf(bias + shifted / (1 - _acceleration(jackknife) * shifted)))
    return float(low), float(high)


def _acceleration(jackknife: Floats) -> float:
    deviations = jackknife.mean() - jackknife if len(jackknife) else np.zeros(1)
    spread = float((deviations**2).sum())
    return float((deviations**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
