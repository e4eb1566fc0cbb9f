"""Confidence intervals that respect groups: images of one patient are not independent."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from brain_tumor.types import Floats

Integers = npt.NDArray[np.int64]
Statistics = Callable[[Floats], dict[str, Floats]]
"""Weights float64 [B, N] → name → float64 [B]; NaN where undefined."""
Interval = tuple[float, float]
_CHUNK_CELLS = 2_000_000  # weights held at once: 16 MB, which larger caches hold
_BLOCKS = 200


def group_weights(groups: Integers, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each image stands in each bootstrap sample of whole groups (Field & Welsh 2007).

    Args:
        groups: int64 [N], dense numbers.
        resamples: B.
        seed: Same seed, same samples.

    Yields:
        float64 [b, N], chunks whose b sum to B.
    """
    rng = np.random.default_rng(seed)
    n = int(groups.max()) + 1
    for rows in _chunks(resamples, len(groups)):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=len(rows))
        yield counts[:, groups].astype(np.float64)


def left_out(groups: Integers, seed: int = 0) -> Iterator[Floats]:
    """Weights of a jackknife: each row leaves one group out, or one of 200 random blocks of groups.

    Yields:
        float64 [b, N], chunks of rows.
    """
    n = int(groups.max()) + 1
    block = np.random.default_rng(seed).permutation(n) % _BLOCKS
    for rows in _chunks(min(n, _BLOCKS), len(groups)):
        yield (block[groups] != np.array(rows)[:, None]).astype(np.float64)


def _chunks(rows: int, length: int) -> Iterator[range]:
    """Numbers of rows in turn, as many at once as may be held."""
    chunk = max(1, _CHUNK_CELLS // length)
    for start in range(0, rows, chunk):
        yield range(start, min(start + chunk, rows))


def intervals(
    statistics: Statistics, groups: Integers, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Bias-corrected and accelerated intervals over `group_weights` (BCa, Efron 1987), all statistics at once.

    Resamples where a statistic is undefined are left out of its interval.

    Args:
        statistics: Of weighted images.
        groups: int64 [N], dense numbers.
        resamples: B.
        seed: Same seed, same intervals.
        level: Of confidence.

    Returns:
        Name → (low, high); NaN where it is undefined.
    """
    with np.errstate(invalid="ignore"):
        point = statistics(np.ones((1, len(groups))))
        resampled = _gathered(statistics, group_weights(groups, resamples, seed))
        without = _gathered(statistics, left_out(groups, seed))
    return {name: _bca(float(value[0]), resampled[name], without[name], level) for name, value in point.items()}


def _gathered(statistics: Statistics, chunks: Iterator[Floats]) -> dict[str, Floats]:
    """Statistics of all chunks, one after the other."""
    found = [statistics(weights) for weights in chunks]
    return {name: np.concatenate([chunk[name] for chunk in found]) for name in found[0]}


def _bca(point: float, resampled: Floats, without: Floats, level: float) -> Interval:
    resampled, without = resampled[np.isfinite(resampled)], without[np.isfinite(without)]
    if not (np.isfinite(point) and len(resampled)):
        return np.nan, np.nan
    below = (np.mean(resampled < point) + np.mean(resampled <= point)) / 2
    bias = norm.ppf(np.clip(below, 1 / (len(resampled) + 1), len(resampled) / (len(resampled) + 1)))
    shifted = bias + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(resampled, norm.cdf(bias + shifted / (1 - _acceleration(without) * shifted)))
    return float(low), float(high)


def _acceleration(without: Floats) -> float:
    gaps = without.mean() - without if len(without) else np.zeros(1)
    spread = float((gaps**2).sum())
    return float((gaps**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
