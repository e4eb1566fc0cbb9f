"""Operating points of detection: thresholds of the detection score from which on an image counts as a tumour."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats

SENSITIVE, SPECIFIC, BALANCED = "sensitive", "specific", "balanced"
_DIGITS = 12
"""Decimals to which sums of shares are compared."""


def choose_operating_points(predictions: Predictions, sensitivity: float, specificity: float) -> dict[str, float]:
    """Choose thresholds midway between two scores, so that small differences of a score change no decision.

    ``balanced`` has the highest sum of sensitivity and specificity (Youden 1950). ``sensitive`` reaches its target with
    the highest specificity possible, and of the thresholds with that specificity it is the most sensitive, the lowest;
    ``specific`` likewise is the highest. Where ``balanced`` is more sensitive than ``sensitive``, or more specific than
    ``specific``, it takes its place: it reaches the target, too, and is better on the whole. So
    sensitive ≤ balanced ≤ specific.

    Args:
        predictions: Calibrated predictions of validation.
        sensitivity: Smallest sensitivity of ``sensitive``.
        specificity: Smallest specificity of ``specific``.

    Returns:
        Name → threshold in [0, 1]. Empty without a healthy class, without tumours, or without healthy images.
    """
    score, tumour = predictions.detection, _tumour(predictions)
    if score is None or tumour.all() or not tumour.any():
        return {}
    scores = np.unique(score)
    candidates = np.concatenate([[0.0], (scores[1:] + scores[:-1]) / 2, [np.nextafter(1.0, 2.0)]])
    sensitivities = 1 - np.searchsorted(np.sort(score[tumour]), candidates) / tumour.sum()
    specificities = np.searchsorted(np.sort(score[~tumour]), candidates) / (~tumour).sum()
    balanced = candidates[np.argmax(np.round(sensitivities + specificities, _DIGITS))]
    reach_sensitivity, reach_specificity = sensitivities >= sensitivity, specificities >= specificity
    best_specificity, best_sensitivity = specificities[reach_sensitivity].max(), sensitivities[reach_specificity].max()
    sensitive = candidates[reach_sensitivity & (specificities == best_specificity)][0]
    specific = candidates[reach_specificity & (sensitivities == best_sensitivity)][-1]
    return {
        SENSITIVE: float(min(sensitive, balanced)),
        BALANCED: float(balanced),
        SPECIFIC: float(max(specific, balanced)),
    }


def targets(sensitivity: float, specificity: float) -> dict[str, str]:
    """Describe what each operating point was chosen for."""
    return {
        SENSITIVE: f"sensitivity ≥ {sensitivity:g} on validation",
        BALANCED: "highest sensitivity + specificity on validation",
        SPECIFIC: f"specificity ≥ {specificity:g} on validation",
    }


def out_of_order(points: Mapping[str, float]) -> bool:
    """Return whether thresholds break the order sensitive ≤ balanced ≤ specific; those of version 0.1 may."""
    order = [points[name] for name in (SENSITIVE, BALANCED, SPECIFIC) if name in points]
    return order != sorted(order)


def evaluate_threshold(
    predictions: Predictions, threshold: float, prevalence: float, **options: Any
) -> dict[str, Estimate]:
    """Evaluate detection at a threshold.

    Args:
        predictions: Calibrated predictions with a healthy class.
        threshold: Smallest detection score that counts as a tumour.
        prevalence: Share of tumours among the people who would be scanned, in (0, 1); that of a public data set is
            arbitrary.
        options: Options of `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        ``sensitivity specificity ppv npv``, and ``ppv_at_prevalence npv_at_prevalence``.
    """
    tumour, positive = _tumour(predictions), predicted_tumour(predictions, threshold)
    denominators = {"sensitivity": tumour, "specificity": ~tumour, "ppv": positive, "npv": ~positive}
    statistics = partial(_statistics, tumour, positive, prevalence)
    values = estimates(statistics, predictions.groups, denominators, **options)
    for name in ("ppv_at_prevalence", "npv_at_prevalence"):
        values[name] = _with_bounds_of_rates(name, values, prevalence)
    return values


def _with_bounds_of_rates(name: str, values: Mapping[str, Estimate], prevalence: float) -> Estimate:
    """Give a predictive value that is 0 or 1 in every resample the interval that sensitivity and specificity allow.

    These have exact intervals; both their bounds carried through the formula bound the predictive value.
    """
    estimate = values[name]
    if estimate["value"] not in (0.0, 1.0) or estimate["ci_low"] != estimate["ci_high"]:
        return estimate
    bounds = []
    for end in ("ci_low", "ci_high"):
        sensitivity, specificity = values["sensitivity"][end], values["specificity"][end]
        if sensitivity is None or specificity is None:
            return {**estimate, "ci_low": None, "ci_high": None}
        ppv, npv = predictive_values(sensitivity, specificity, prevalence)
        bounds.append(ppv if name == "ppv_at_prevalence" else npv)
    return {**estimate, "ci_low": bounds[0], "ci_high": bounds[1]}


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """Return PPV and NPV at a prevalence (Bayes); NaN where nobody is called positive, or negative."""
    healthy = 1 - prevalence
    true_positive, false_positive = sensitivity * prevalence, (1 - specificity) * healthy
    true_negative, false_negative = specificity * healthy, (1 - sensitivity) * prevalence
    positive, negative = true_positive + false_positive, true_negative + false_negative
    ppv = true_positive / positive if positive else math.nan
    return ppv, true_negative / negative if negative else math.nan


def predicted_tumour(predictions: Predictions, threshold: float) -> Flags:
    """Determine the images whose detection score reaches a threshold, bool [N]."""
    assert predictions.detection is not None  # noqa: S101 - callers have checked for a healthy class
    return predictions.detection >= threshold


def _tumour(predictions: Predictions) -> Flags:
    return np.asarray(predictions.labels != predictions.healthy)


def _statistics(tumour: Flags, positive: Flags, prevalence: float, weights: Floats) -> dict[str, Floats]:
    cells = [tumour & positive, tumour & ~positive, ~tumour & positive, ~tumour & ~positive]
    tp, fn, fp, tn = (weights @ np.stack(cells, axis=1).astype(float)).T
    sensitivity, specificity = ratio(tp, tp + fn), ratio(tn, tn + fp)
    healthy = 1 - prevalence
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": ratio(tp, tp + fp),
        "npv": ratio(tn, tn + fn),
        "ppv_at_prevalence": ratio(sensitivity * prevalence, sensitivity * prevalence + (1 - specificity) * healthy),
        "npv_at_prevalence": ratio(specificity * healthy, specificity * healthy + (1 - sensitivity) * prevalence),
    }
