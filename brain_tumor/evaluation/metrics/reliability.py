"""Metrics that depend on how well probabilities are calibrated, before and after calibration."""

from functools import partial
from typing import Any

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


def before_and_after(predictions: Predictions, temperature: float, **options: Any) -> dict[str, dict[str, Estimate]]:
    """Estimate `calibration_values` at temperature 1 and at the one given; ``options`` as for `estimates`."""
    return {
        name: estimates(partial(calibration_values, table), table.groups, {}, **options)
        for name, table in {"before": predictions, "after": calibrated(predictions, temperature)}.items()
    }
