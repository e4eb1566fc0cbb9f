"""Every metric with its interval, and the number of images behind it."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import beta

from brain_tumor.evaluation.metrics.bootstrap import Interval, Statistics, intervals
from brain_tumor.evaluation.metrics.values import metric_values
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags


def counted(predictions: Predictions) -> dict[str, Flags]:
    """Which images stand in the denominator of each proportion, bool [N]; all other metrics are of all images."""
    labels, found = predictions.labels, predictions.found
    flags = {"accuracy": np.ones(len(labels), bool)}
    for c, name in enumerate(predictions.classes):
        flags |= _sides(labels == c, found == c, "", f"/{name}")
    if predictions.healthy is not None:
        flags |= {"detection/accuracy": flags["accuracy"]}
        flags |= _sides(labels != predictions.healthy, found != predictions.healthy, "detection/", "")
    return flags


def _sides(positive: Flags, said: Flags, prefix: str, suffix: str) -> dict[str, Flags]:
    sides = {"sensitivity": positive, "specificity": ~positive, "ppv": said, "npv": ~said}
    return {f"{prefix}{name}{suffix}": flags for name, flags in sides.items()}


def decisive(predictions: Predictions) -> dict[str, Flags]:
    """Images that decide whether a metric that is no share can reach its bound: of areas those of the rarer side.

    Returns:
        For ``f1``, ``auroc`` and ``auprc``, of classes and of detection, and for the means over classes: bool [N].
    """
    labels, found = predictions.labels, predictions.found
    flags: dict[str, Flags] = {}
    for c, name in enumerate(predictions.classes):
        flags |= _of_side(labels == c, found == c, "", f"/{name}")
    if predictions.healthy is not None:
        flags |= _of_side(labels != predictions.healthy, found != predictions.healthy, "detection/", "")
    for name in ("f1_macro", "balanced_accuracy", "auroc", "auprc", "mcc", "kappa"):
        flags[name] = np.ones(len(labels), bool)
    return flags


def _of_side(positive: Flags, said: Flags, prefix: str, suffix: str) -> dict[str, Flags]:
    rarer = positive if positive.sum() <= (~positive).sum() else ~positive
    sides = {"f1": positive | said, "auroc": rarer, "auprc": positive}
    return {f"{prefix}{name}{suffix}": flags for name, flags in sides.items()}


def exact(value: float, groups: int, level: float = 0.95) -> Interval:
    """Interval of Clopper and Pearson (1934) for a proportion of 0 or 1, which no resample can move.

    Args:
        value: 0 or 1.
        groups: Independent trials; images of one group count once, as if they stood or fell together.
        level: Of confidence.
    """
    hits, tail = round(value * groups), (1 - level) / 2
    low = float(beta.ppf(tail, hits, groups - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, groups - hits)) if hits < groups else 1.0
    return low, high


Estimate = dict[str, float | None]
"""``value, ci_low, ci_high``, None where undefined, and ``n``, the images behind it."""


def evaluate(
    predictions: Predictions, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Estimate]:
    """All metrics of `brain_tumor.evaluation.metrics.values`, see `estimates`."""
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
