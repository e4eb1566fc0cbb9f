"""Abstention: the model answers only where its confidence is high (selective prediction)."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.evaluation.metrics.confusion import accuracy, confusion, f1_macro, ratio
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats


def abstention_threshold(predictions: Predictions, share: float) -> float:
    """Choose the confidence (probability of the predicted class) below which a given share of images lies.

    Args:
        predictions: Calibrated predictions of validation.
        share: Fraction of images to abstain from, in [0, 1).
    """
    return float(np.quantile(predictions.probabilities.max(axis=1), share)) if share else 0.0


def evaluate_abstention(predictions: Predictions, threshold: float, **options: Any) -> dict[str, Estimate]:
    """Evaluate the model where it abstains below a confidence.

    Args:
        predictions: Calibrated predictions.
        threshold: Probability of the predicted class from which on the model answers.
        options: Options of `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        ``coverage``, the share of images that are answered; ``accuracy`` and ``f1_macro`` of these images; and ``aurc``
        of all images, see `aurc`.
    """
    answered = predictions.probabilities.max(axis=1) >= threshold
    shares = {"coverage": np.ones(len(answered), bool), "accuracy": answered}
    return estimates(partial(_statistics, predictions, answered), predictions.groups, shares, **options)


def _statistics(predictions: Predictions, answered: Flags, weights: Floats) -> dict[str, Floats]:
    matrix = confusion(predictions.labels, predictions.predicted, len(predictions.classes), weights * answered)
    return {
        "coverage": ratio(weights @ answered.astype(float), weights.sum(axis=1)),
        "accuracy": accuracy(matrix),
        "f1_macro": f1_macro(matrix),
        "aurc": aurc(predictions, weights),
    }


def risk_coverage(predictions: Predictions, limit: int = 200) -> pd.DataFrame:
    """Compute the share of errors among the most confident images against their share (Geifman & El-Yaniv 2017).

    Args:
        predictions: Calibrated predictions.
        limit: Largest number of rows; longer curves are thinned evenly.

    Returns:
        Columns ``coverage`` (ascending, ending at 1) and ``risk``.
    """
    weight, errors = _by_confidence(predictions, np.ones((1, len(predictions.labels))))
    answered = np.cumsum(weight, axis=1)[0]
    risk = np.cumsum(errors, axis=1)[0] / answered
    kept = np.unique(np.linspace(0, len(risk) - 1, min(len(risk), limit)).round().astype(int))
    return pd.DataFrame({"coverage": (answered / answered[-1])[kept], "risk": risk[kept]})


def aurc(predictions: Predictions, weights: Floats) -> Floats:
    """Compute the area under the risk–coverage curve, float64 [B] in [0, 1]; lower is better.

    Images of equal confidence form one step of the curve.
    """
    weight, errors = _by_confidence(predictions, weights)
    risk = np.cumsum(errors, axis=1) / np.maximum(np.cumsum(weight, axis=1), np.finfo(float).tiny)
    return ratio((weight * risk).sum(axis=1), weight.sum(axis=1))


def _by_confidence(predictions: Predictions, weights: Floats) -> tuple[Floats, Floats]:
    """Sum the weights of all images, and of errors, per distinct confidence in descending order, each [B, steps]."""
    confidence = predictions.probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    starts = np.flatnonzero(np.diff(confidence[order], prepend=np.nan))
    ordered = weights[:, order]
    errors = (predictions.predicted != predictions.labels)[order]
    return np.add.reduceat(ordered, starts, axis=1), np.add.reduceat(ordered * errors, starts, axis=1)
