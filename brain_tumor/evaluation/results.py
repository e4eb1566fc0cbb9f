"""``results.json``: every metric with its interval, and the numbers behind them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from brain_tumor.evaluation.bootstrap import intervals
from brain_tumor.evaluation.metrics import metric_values
from brain_tumor.evaluation.predictions import Predictions

Estimate = dict[str, float | None]
"""``value, ci_low, ci_high``; None where undefined."""


def evaluate(
    predictions: Predictions, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, Estimate]:
    """All metrics of `brain_tumor.evaluation.metrics` with intervals from a bootstrap by group.

    Args:
        predictions: The table.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        level: Of the intervals.
    """
    point = metric_values(predictions, np.ones((1, len(predictions.labels))))
    spans = intervals(predictions, resamples, seed, level)
    return {
        name: dict(zip(("value", "ci_low", "ci_high"), map(_defined, (float(value[0]), *spans[name])), strict=True))
        for name, value in point.items()
    }


def results_document(splits: Mapping[str, Predictions], *, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Results of each split, and under ``n`` their numbers of images, groups, and images of each class."""
    document: dict[str, Any] = {
        split: evaluate(predictions, resamples=resamples, seed=seed) for split, predictions in splits.items()
    }
    document["n"] = {split: _numbers(predictions) for split, predictions in splits.items()}
    return document


def _numbers(predictions: Predictions) -> dict[str, Any]:
    counts = np.bincount(predictions.labels, minlength=len(predictions.classes)).tolist()
    return {
        "images": len(predictions.labels),
        "groups": int(predictions.groups.max()) + 1,
        "per_class": dict(zip(predictions.classes, counts, strict=True)),
    }


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
