"""Confidence intervals that respect groups: images of one patient are not independent."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from brain_tumor.evaluation.metrics import metric_values
from brain_tumor.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]
_CHUNK_CELLS = 4_000_000  # weights held at once: 32 MB


def group_weights(groups: npt.NDArray[np.int64], resamples: int, seed: int) -> Iterator[Floats]:
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
    chunk = max(1, _CHUNK_CELLS // len(groups))
    for start in range(0, resamples, chunk):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=min(chunk, resamples - start))
        yield counts[:, groups].astype(np.float64)


def intervals(
    predictions: Predictions, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every metric over `group_weights`; resamples where it is undefined are left out.

    Returns:
        Metric → (low, high); NaN where it is never defined.
    """
    chunks = [metric_values(predictions, weights) for weights in group_weights(predictions.groups, resamples, seed)]
    tail = (1 - level) / 2
    return {name: _percentiles(np.concatenate([chunk[name] for chunk in chunks]), tail) for name in chunks[0]}


def _percentiles(values: Floats, tail: float) -> tuple[float, float]:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return np.nan, np.nan
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
