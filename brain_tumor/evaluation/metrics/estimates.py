"""Metrics with their confidence intervals and the number of images behind each."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import beta

from brain_tumor.evaluation.localization import localization_images
from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.metrics.bootstrap import Interval, Statistics, intervals
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Rows

Estimate = dict[str, float | None]
"""``value, ci_low, ci_high``, None where undefined, and ``n``, the number of images behind it."""


def evaluate(
    predictions: Predictions, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> dict[str, Estimate]:
    """Estimate all metrics of `brain_tumor.evaluation.metrics.all_metrics`; for the arguments see `estimates`."""
    statistics = partial(metric_values, predictions)
    shares, trials = denominators(predictions), trial_images(predictions)
    return estimates(statistics, predictions.groups, shares, trials, resamples=resamples, seed=seed, level=level)


def estimates(
    statistics: Statistics,
    groups: Rows,
    shares: Mapping[str, Flags],
    trials: Mapping[str, Flags] | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Compute statistics with bootstrap intervals by group; exact ones if a 0 or 1 is the same in every resample.

    Args:
        statistics: Statistics of N weighted images.
        groups: int64 [N], dense group numbers.
        shares: Name of a statistic that is a share → images in its denominator, bool [N]; others are of all images.
        trials: Name of a statistic in [0, 1] → images whose groups are the independent trials of its exact interval,
            bool [N]; by default those of ``shares``. A statistic without trials never gets an exact interval.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.
        level: Confidence level of the intervals.
    """
    trials = shares if trials is None else trials
    point = statistics(np.ones((1, len(groups))))
    spans = intervals(statistics, groups, resamples, seed, level)
    results: dict[str, Estimate] = {}
    for name, (value,) in point.items():
        low, high = spans[name]
        if name in trials and value in (0.0, 1.0) and low == high:
            low, high = exact_interval(value, len(np.unique(groups[trials[name]])), level)
        images = int(shares[name].sum()) if name in shares else len(groups)
        results[name] = {
            "value": _defined(float(value)),
            "ci_low": _defined(low),
            "ci_high": _defined(high),
            "n": images,
        }
    return results


def exact_interval(value: float, trials: int, level: float) -> Interval:
    """Return the interval of Clopper and Pearson (1934) for a proportion that is 0 or 1 in so many trials.

    Args:
        value: 0 or 1.
        trials: Number of independent trials, from 1: of groups, not of images.
        level: Confidence level, in (0, 1).
    """
    hits, tail = round(value * trials), (1 - level) / 2
    low = float(beta.ppf(tail, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
    return low, high


def trial_images(predictions: Predictions) -> dict[str, Flags]:
    """Return the images whose groups are the trials of the exact interval of each metric in [0, 1], bool [N]."""
    return bounding_images(predictions) | denominators(predictions)


def denominators(predictions: Predictions) -> dict[str, Flags]:
    """Return the images in the denominator of each metric that is a proportion, bool [N]."""
    labels, predicted = predictions.labels, predictions.predicted
    flags = {"accuracy": np.ones(len(labels), bool)}
    for c, name in enumerate(predictions.classes):
        flags |= _binary_denominators(labels == c, predicted == c, "", f"/{name}")
    if predictions.healthy is not None:
        flags |= {"detection/accuracy": flags["accuracy"]}
        tumour, detected = labels != predictions.healthy, predicted != predictions.healthy
        flags |= _binary_denominators(tumour, detected, "detection/", "")
    return flags | localization_images(predictions)


def _binary_denominators(positive: Flags, detected: Flags, prefix: str, suffix: str) -> dict[str, Flags]:
    flags = {"sensitivity": positive, "specificity": ~positive, "ppv": detected, "npv": ~detected}
    return {f"{prefix}{name}{suffix}": images for name, images in flags.items()}


def bounding_images(predictions: Predictions) -> dict[str, Flags]:
    """Return the images that the exact interval of a metric counts, for metrics that are not proportions, bool [N].

    Returns:
        Images of ``f1``, ``auroc`` (those of the rarer outcome) and ``auprc``, per class and of detection, and of the
        means over classes.
    """
    labels, predicted = predictions.labels, predictions.predicted
    flags: dict[str, Flags] = {}
    for c, name in enumerate(predictions.classes):
        flags |= _binary_bounding(labels == c, predicted == c, "", f"/{name}")
    if predictions.healthy is not None:
        tumour, detected = labels != predictions.healthy, predicted != predictions.healthy
        flags |= _binary_bounding(tumour, detected, "detection/", "")
    for name in ("f1_macro", "balanced_accuracy", "auroc", "auprc", "mcc", "kappa"):
        flags[name] = np.ones(len(labels), bool)
    return flags


def _binary_bounding(positive: Flags, detected: Flags, prefix: str, suffix: str) -> dict[str, Flags]:
    rarer = positive if positive.sum() <= (~positive).sum() else ~positive
    flags = {"f1": positive | detected, "auroc": rarer, "auprc": positive}
    return {f"{prefix}{name}{suffix}": images for name, images in flags.items()}


def numbers(predictions: Predictions) -> dict[str, Any]:
    """Count images, groups, and images per class."""
    counts = np.bincount(predictions.labels, minlength=len(predictions.classes)).tolist()
    return {
        "images": len(predictions.labels),
        "groups": int(predictions.groups.max()) + 1,
        "per_class": dict(zip(predictions.classes, counts, strict=True)),
    }


def results_document(splits: Mapping[str, Predictions], *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Estimate all metrics of each split, with `numbers` of each split under ``n``."""
    document: dict[str, Any] = {
        split: evaluate(predictions, resamples=resamples, seed=seed) for split, predictions in splits.items()
    }
    document["n"] = {split: numbers(predictions) for split, predictions in splits.items()}
    return document


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
