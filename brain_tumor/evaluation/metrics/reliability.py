"""Metrics that depend on how well probabilities are calibrated, before and after calibration."""

from functools import partial
from typing import Any

import numpy as np

from brain_tumor.evaluation.calibration import calibrated
from brain_tumor.evaluation.metrics import probability
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats

_METRICS = ("ece", "ece_mass", "ece_classwise", "brier", "nll")


def calibration_values(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    """Compute ``ece ece_mass ece_classwise brier nll``, and ``detection/slope detection/intercept``.

    Args:
        predictions: N images.
        weights: float64 [B, N].

    Returns:
        Name → float64 [B]; detection's only where there is a healthy class.
    """
    labels, p, score = predictions.labels, predictions.probabilities, predictions.detection
    values: dict[str, Floats] = {name: getattr(probability, name)(labels, p, weights) for name in _METRICS}
    if score is not None:
        slope, intercept = probability.recalibration(labels != predictions.healthy, score, weights)
        values |= {"detection/slope": slope, "detection/intercept": intercept}
    return values


_BINS, _LEAST = 10, 20
"""Largest number of ranges of `observed_accuracy`, and fewest images in one."""


def observed_accuracy(predictions: Predictions) -> list[dict[str, float]]:
    """Count how many predictions were right, in ranges of the predicted class's probability of equal size.

    Args:
        predictions: Calibrated predictions of N validation images.

    Returns:
        Per range, by ascending probability: ``low`` (smallest probability in it, 0 in the first), ``images`` and
        ``right`` (whole numbers). Images of one probability are in one range, of 20 images or more if N allows.
    """
    confidence = predictions.probabilities.max(axis=1)
    right = predictions.predicted == predictions.labels
    bins = max(1, min(_BINS, len(confidence) // _LEAST))
    lows = np.unique(np.quantile(confidence, np.arange(bins) / bins, method="higher"))
    found = np.searchsorted(lows, confidence, side="right") - 1
    images, hits = np.bincount(found, minlength=len(lows)), np.bincount(found, right, minlength=len(lows))
    return [
        {"low": 0.0 if number == 0 else float(low), "images": int(images[number]), "right": int(hits[number])}
        for number, low in enumerate(lows)
    ]


def before_and_after(predictions: Predictions, temperature: float, **options: Any) -> dict[str, dict[str, Estimate]]:
    """Estimate `calibration_values` at temperature 1 and at the one given; ``options`` as for `estimates`."""
    return {
        name: estimates(partial(calibration_values, table), table.groups, {}, **options)
        for name, table in {"before": predictions, "after": calibrated(predictions, temperature)}.items()
    }
