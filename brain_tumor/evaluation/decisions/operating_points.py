"""Operating points of detection: from which score on an image is called a tumour."""

from functools import partial
from typing import Any

import numpy as np

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats

SENSITIVE, SPECIFIC, BALANCED = "sensitive", "specific", "balanced"


def operating_points(predictions: Predictions, sensitivity: float, specificity: float) -> dict[str, float]:
    """Thresholds chosen on a table, midway between two of its scores, so that small differences change nothing.

    Args:
        predictions: Of validation.
        sensitivity: That ``sensitive`` reaches, with the highest specificity that goes with it.
        specificity: That ``specific`` reaches, with the highest sensitivity that goes with it.

    Returns:
        Name → threshold in [0, 1]; ``balanced`` has the highest sum of both (Youden 1950). Empty where there is no
        healthy class, or no image on one side.
    """
    score, tumour = predictions.detection, _tumour(predictions)
    if score is None or tumour.all() or not tumour.any():
        return {}
    seen = np.unique(score)
    between = np.concatenate([[0.0], (seen[1:] + seen[:-1]) / 2, [np.nextafter(1.0, 2.0)]])
    found = 1 - np.searchsorted(np.sort(score[tumour]), between) / tumour.sum()
    spared = np.searchsorted(np.sort(score[~tumour]), between) / (~tumour).sum()
    return {
        SENSITIVE: float(between[found >= sensitivity][-1]),
        SPECIFIC: float(between[spared >= specificity][0]),
        BALANCED: float(between[np.argmax(found + spared)]),
    }


def judged(predictions: Predictions, threshold: float, prevalence: float, **options: Any) -> dict[str, Estimate]:
    """What a threshold comes to: ``sensitivity specificity ppv npv``, and ppv and npv at a stated prevalence.

    Args:
        predictions: With a healthy class.
        threshold: Scores from it on are called a tumour.
        prevalence: Share of tumours among those who would be scanned, in (0, 1); that of a public set is made.
        options: As for `brain_tumor.evaluation.metrics.estimates.estimates`.
    """
    tumour, said = _tumour(predictions), said_tumour(predictions, threshold)
    sides = {"sensitivity": tumour, "specificity": ~tumour, "ppv": said, "npv": ~said}
    return estimates(partial(_values, tumour, said, prevalence), predictions.groups, sides, **options)


def said_tumour(predictions: Predictions, threshold: float) -> Flags:
    """Images whose detection score reaches a threshold."""
    assert predictions.detection is not None  # noqa: S101 - there are no thresholds without a healthy class
    return predictions.detection >= threshold


def _tumour(predictions: Predictions) -> Flags:
    return np.asarray(predictions.labels != predictions.healthy)


def _values(tumour: Flags, said: Flags, prevalence: float, weights: Floats) -> dict[str, Floats]:
    cells = np.stack([tumour & said, tumour & ~said, ~tumour & said, ~tumour & ~said], axis=1).astype(float)
    hit, missed, false, spared = (weights @ cells).T
    sensitivity, specificity = ratio(hit, hit + missed), ratio(spared, spared + false)
    sick, healthy = prevalence, 1 - prevalence
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": ratio(hit, hit + false),
        "npv": ratio(spared, spared + missed),
        "ppv_at_prevalence": ratio(sensitivity * sick, sensitivity * sick + (1 - specificity) * healthy),
        "npv_at_prevalence": ratio(specificity * healthy, specificity * healthy + (1 - sensitivity) * sick),
    }
