"""Split-conformal prediction: sets of classes that contain the true class with a stated probability.

Vovk 2005, Sadinle 2019. The guarantee holds for images drawn from the same distribution as validation. Validation was
also used for the choice of the epoch, and images of one patient are not independent; the coverage on test is reported
to show how far the guarantee holds.
"""

from functools import partial
from typing import Any

import numpy as np

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats


def thresholds(predictions: Predictions, coverage: float, by_class: bool) -> Floats:
    """Choose the largest 1 − p at which a class belongs to the set, float64 [C].

    Args:
        predictions: Calibrated predictions of validation.
        coverage: Share of images whose set shall contain the true class, in (0, 1).
        by_class: Guarantee the coverage of each class (Vovk 2012) instead of all images together. A class with too few
            images for that belongs to every set.
    """
    scores = 1 - predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    classes = range(len(predictions.classes))
    rows = [predictions.labels == c if by_class else np.ones(len(scores), bool) for c in classes]
    return np.array([_conformal_quantile(scores[of_class], coverage) for of_class in rows])


def _conformal_quantile(scores: Floats, coverage: float) -> float:
    """Return the ⌈(n + 1) · coverage⌉-th smallest of n scores; 1, which admits all classes, if n is too small."""
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else 1.0


def prediction_sets(predictions: Predictions, limits: Floats) -> Flags:
    """Determine the classes in the set of each image, bool [N, C]; a set may be empty.

    Args:
        predictions: Calibrated predictions.
        limits: Thresholds float64 [C] of `thresholds`.
    """
    return np.asarray(1 - predictions.probabilities <= limits)


def evaluate_sets(predictions: Predictions, members: Flags, **options: Any) -> dict[str, Estimate]:
    """Evaluate prediction sets: how often they contain the true class, and how large they are.

    Args:
        predictions: Calibrated predictions.
        members: Prediction sets bool [N, C] of `prediction_sets`.
        options: Options of `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        ``coverage`` and ``coverage/<class>`` (shares of sets with the true class), ``size`` (mean number of classes),
        ``single`` and ``empty`` (shares of sets of one class and of none).
    """
    everyone = np.ones(len(members), bool)
    shares = dict.fromkeys(("coverage", "single", "empty"), everyone)
    shares |= {f"coverage/{name}": predictions.labels == c for c, name in enumerate(predictions.classes)}
    return estimates(partial(_statistics, predictions, members), predictions.groups, shares, **options)


def _statistics(predictions: Predictions, members: Flags, weights: Floats) -> dict[str, Floats]:
    covered = members[np.arange(len(members)), predictions.labels].astype(float)
    size, total = members.sum(axis=1), weights.sum(axis=1)
    values = {
        "coverage": ratio(weights @ covered, total),
        "size": ratio(weights @ size.astype(float), total),
        "single": ratio(weights @ (size == 1).astype(float), total),
        "empty": ratio(weights @ (size == 0).astype(float), total),
    }
    for c, name in enumerate(predictions.classes):
        of_class = (predictions.labels == c).astype(float)
        values[f"coverage/{name}"] = ratio(weights @ (covered * of_class), weights @ of_class)
    return values
