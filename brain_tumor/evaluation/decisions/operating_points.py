"""Operating points of detection: thresholds of the detection score from which on an image counts as a tumour."""

from functools import partial
from typing import Any

import numpy as np

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats

SENSITIVE, SPECIFIC, BALANCED = "sensitive", "specific", "balanced"


def choose_operating_points(predictions: Predictions, sensitivity: float, specificity: float) -> dict[str, float]:
    """Choose thresholds midway between two scores, so that small differences of a score change no decision.

    Args:
        predictions: Calibrated predictions of validation.
        sensitivity: Smallest sensitivity of ``sensitive``, which has the highest specificity possible with it.
        specificity: Smallest specificity of ``specific``, which has the highest sensitivity possible with it.

    Returns:
        Name → threshold in [0, 1]; ``balanced`` has the highest sum of sensitivity and specificity (Youden 1950). Empty
        without a healthy class, without tumours, or without healthy images.
    """
    score, tumour = predictions.detection, _tumour(predictions)
    if score is None or tumour.all() or not tumour.any():
        return {}
    scores = np.unique(score)
    candidates = np.concatenate([[0.0], (scores[1:] + scores[:-1]) / 2, [np.nextafter(1.0, 2.0)]])
    sensitivities = 1 - np.searchsorted(np.sort(score[tumour]), candidates) / tumour.sum()
    specificities = np.searchsorted(np.sort(score[~tumour]), candidates) / (~tumour).sum()
    return {
        SENSITIVE: float(candidates[sensitivities >= sensitivity][-1]),
        SPECIFIC: float(candidates[specificities >= specificity][0]),
        BALANCED: float(candidates[np.argmax(sensitivities + specificities)]),
    }


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
    return estimates(partial(_statistics, tumour, positive, prevalence), predictions.groups, denominators, **options)


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
