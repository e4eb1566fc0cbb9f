"""``results.json``: every metric with its interval, and the numbers behind them."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from brain_tumor.evaluation.bootstrap import Statistics, intervals
from brain_tumor.evaluation.metrics import metric_values
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.proportions import Flags, counted, decisive, exact

Estimate = dict[str, float | None]
"""``value, ci_low, ci_high``, None where undefined, and ``n``, the images behind it."""


def evaluate(
    predictions: Predictions, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Estimate]:
    """All metrics of `brain_tumor.evaluation.metrics`, see `estimates`."""
    statistics = partial(metric_values, predictions)
    shares, bounded = counted(predictions), decisive(predictions)
    return estimates(statistics, predictions, shares, bounded, resamples=resamples, seed=seed, level=level)


def estimates(
    statistics: Statistics,
    predictions: Predictions,
    proportions: Mapping[str, Flags],
    bounded: Mapping[str, Flags] | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Statistics with intervals from a bootstrap by group; where a 0 or 1 cannot move in it, exact ones.

    Args:
        statistics: Of weighted images.
        predictions: The table they are of.
        proportions: Those statistics that are shares, and the images that they are shares of.
        bounded: Others between 0 and 1, and the images whose groups count as trials where they are 0 or 1.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        level: Of the intervals.
    """
    everyone = np.ones(len(predictions.labels), bool)
    point = statistics(np.ones((1, len(everyone))))
    spans = intervals(statistics, predictions.groups, resamples, seed, level)
    found: dict[str, Estimate] = {}
    for name, (value,) in point.items():
        images = proportions.get(name, everyone)
        span = spans[name]
        trials = {**(bounded or {}), **proportions}.get(name)
        if trials is not None and value in (0.0, 1.0) and span[0] == span[1]:
            span = exact(value, len(np.unique(predictions.groups[trials])), level)
        found[name] = dict(zip(("value", "ci_low", "ci_high"), map(_defined, (float(value), *span)), strict=True))
        found[name]["n"] = int(images.sum())
    return found


def numbers(predictions: Predictions) -> dict[str, Any]:
    """Numbers of images, groups, and images of each class."""
    counts = np.bincount(predictions.labels, minlength=len(predictions.classes)).tolist()
    return {
        "images": len(predictions.labels),
        "groups": int(predictions.groups.max()) + 1,
        "per_class": dict(zip(predictions.classes, counts, strict=True)),
    }


def results_document(splits: Mapping[str, Predictions], *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Results of each split, and under ``n`` their `numbers`."""
    document: dict[str, Any] = {
        split: evaluate(predictions, resamples=resamples, seed=seed) for split, predictions in splits.items()
    }
    document["n"] = {split: numbers(predictions) for split, predictions in splits.items()}
    return document


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
