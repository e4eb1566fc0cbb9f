"""Answering only where the model is sure: how many errors are left, and how many images."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.evaluation.metrics.confusion import accuracy, confusion, f1_macro, ratio
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats


def abstention_threshold(predictions: Predictions, share: float) -> float:
    """The confidence below which that share of a table's images is left to a person.

    Args:
        predictions: Of validation.
        share: In [0, 1).
    """
    return float(np.quantile(predictions.probabilities.max(axis=1), share)) if share else 0.0


def judged(predictions: Predictions, threshold: float, **options: Any) -> dict[str, Estimate]:
    """What abstaining below a confidence comes to.

    Args:
        predictions: Of test.
        threshold: Of the top class's probability.
        options: As for `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        ``coverage``, the share answered; ``accuracy`` and ``f1_macro`` of these; and ``aurc`` (`risk_coverage`).
    """
    answered = predictions.probabilities.max(axis=1) >= threshold
    shares = {"coverage": np.ones(len(answered), bool), "accuracy": answered}
    return estimates(partial(_values, predictions, answered), predictions.groups, shares, **options)


def risk_coverage(predictions: Predictions, limit: int = 200) -> pd.DataFrame:
    """Share of wrong answers among the surest images, over the share answered (Geifman & El-Yaniv 2017).

    Returns:
        Columns ``coverage`` (ascending, ending at 1) and ``risk``, at most ``limit`` rows.
    """
    step, wrong = _steps(predictions, np.ones((1, len(predictions.labels))))
    answered = np.cumsum(step, axis=1)[0]
    risk = np.cumsum(wrong, axis=1)[0] / answered
    kept = np.unique(np.linspace(0, len(risk) - 1, min(len(risk), limit)).round().astype(int))
    return pd.DataFrame({"coverage": (answered / answered[-1])[kept], "risk": risk[kept]})


def aurc(predictions: Predictions, weights: Floats) -> Floats:
    """Area under the risk–coverage curve, float64 [B] in [0, 1]; lower is better. Equal confidences are one step."""
    step, wrong = _steps(predictions, weights)
    risk = np.cumsum(wrong, axis=1) / np.maximum(np.cumsum(step, axis=1), np.finfo(float).tiny)
    return ratio((step * risk).sum(axis=1), step.sum(axis=1))


def _steps(predictions: Predictions, weights: Floats) -> tuple[Floats, Floats]:
    """Weight and wrong weight at each confidence, the surest first, [B, steps]."""
    confidence = predictions.probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    starts = np.flatnonzero(np.diff(confidence[order], prepend=np.nan))
    ordered = weights[:, order]
    wrong = (predictions.predicted != predictions.labels)[order]
    return np.add.reduceat(ordered, starts, axis=1), np.add.reduceat(ordered * wrong, starts, axis=1)


def _values(
    predictions: Predictions, answered: np.ndarray[tuple[int], np.dtype[np.bool_]], weights: Floats
) -> dict[str, Floats]:
    matrix = confusion(predictions.labels, predictions.predicted, len(predictions.classes), weights * answered)
    return {
        "coverage": ratio(weights @ answered.astype(float), weights.sum(axis=1)),
        "accuracy": accuracy(matrix),
        "f1_macro": f1_macro(matrix),
        "aurc": aurc(predictions, weights),
    }
