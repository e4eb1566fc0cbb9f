"""Which images robustness is measured on, and the few metrics it is reported in."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.evaluation.metrics.bootstrap import group_weights
from brain_tumor.evaluation.metrics.values import metric_values
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats, Rows


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


Classify = Callable[[npt.NDArray[np.uint8]], Floats]
"""Grey squares uint8 [B, S, S] → probabilities float64 [B, C]."""
METRICS = ("f1_macro", "accuracy", "detection/auroc")
"""Detection stands only where there is a healthy class."""


def scores(labels: Rows, probabilities: Floats, classes: Sequence[str]) -> dict[str, float | None]:
    """`METRICS` of labels int64 [N] and probabilities float64 [N, C]; None where undefined."""
    values = _values(labels, probabilities, classes, np.ones((1, len(labels))))
    return {name: _defined(float(value[0])) for name, value in values.items()}


def difference(
    labels: Rows,
    before: Floats,
    after: Floats,
    classes: Sequence[str],
    groups: Rows,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, float | None]]:
    """`METRICS` of ``after`` minus those of ``before``, with 95 % percentile intervals.

    Both stand in each bootstrap sample with the same images (paired), drawn by whole groups.

    Returns:
        Metric → ``{"value", "ci_low", "ci_high"}``; None where undefined.
    """
    one = _changes(labels, before, after, classes, np.ones((1, len(labels))))
    drawn = [
        _changes(labels, before, after, classes, weights)
        for weights in group_weights(np.unique(groups, return_inverse=True)[1], resamples, seed)
    ]
    found = {}
    for name, value in one.items():
        changes = np.concatenate([chunk[name] for chunk in drawn])
        changes = changes[np.isfinite(changes)]
        low, high = np.quantile(changes, [0.025, 0.975]) if len(changes) else (math.nan, math.nan)
        found[name] = {"value": _defined(float(value[0])), "ci_low": _defined(low), "ci_high": _defined(high)}
    return found


def _changes(labels: Rows, before: Floats, after: Floats, classes: Sequence[str], weights: Floats) -> dict[str, Floats]:
    old, new = (_values(labels, probabilities, classes, weights) for probabilities in (before, after))
    return {name: new[name] - value for name, value in old.items()}


def _values(labels: Rows, probabilities: Floats, classes: Sequence[str], weights: Floats) -> dict[str, Floats]:
    table = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classes])
    table["label"] = np.array(classes, dtype=object)[labels]
    table["sample_id"] = np.arange(len(table)).astype(str)
    values = metric_values(Predictions.from_frame(table), weights)
    return {name: values[name] for name in METRICS if name in values}


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
