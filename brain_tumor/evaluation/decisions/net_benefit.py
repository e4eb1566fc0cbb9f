"""Decision curve analysis (Vickers & Elkin 2006): acting on the model compared with treating everyone or no one."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.evaluation.metrics.estimates import estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats

THRESHOLDS = np.round(np.arange(0.02, 0.99, 0.04), 2)
"""Probabilities of a tumour from which on one would act."""


def decision_curve(predictions: Predictions, prevalence: float, **options: Any) -> pd.DataFrame:
    """Compute the net benefit at each of `THRESHOLDS`: true positives minus false positives × odds of the threshold.

    Args:
        predictions: Calibrated predictions with a healthy class; thresholds are compared with their probabilities.
        prevalence: Share of images with a tumour, in (0, 1), by which sensitivity and specificity are weighted.
        options: Options of `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        Columns ``threshold, model, ci_low, ci_high, treat_all``, in net benefit per image; treating no one has 0.
    """
    curve = estimates(partial(_statistics, predictions, prevalence), predictions.groups, {}, **options)
    rows = [curve[f"{threshold:.2f}"] for threshold in THRESHOLDS]
    odds = THRESHOLDS / (1 - THRESHOLDS)
    return pd.DataFrame(
        {
            "threshold": THRESHOLDS,
            "model": [row["value"] for row in rows],
            "ci_low": [row["ci_low"] for row in rows],
            "ci_high": [row["ci_high"] for row in rows],
            "treat_all": prevalence - (1 - prevalence) * odds,
        }
    )


def _statistics(predictions: Predictions, prevalence: float, weights: Floats) -> dict[str, Floats]:
    assert predictions.detection is not None  # noqa: S101 - callers have checked for a healthy class
    tumour = (predictions.labels != predictions.healthy)[:, None]
    positive = predictions.detection[:, None] >= THRESHOLDS
    totals = weights @ np.concatenate([tumour, ~tumour], axis=1).astype(float)
    with_tumour, healthy = totals.T[..., None]
    sensitivity = ratio(weights @ (positive & tumour), with_tumour)
    false_positive_rate = ratio(weights @ (positive & ~tumour), healthy)
    benefit = prevalence * sensitivity - (1 - prevalence) * false_positive_rate * THRESHOLDS / (1 - THRESHOLDS)
    return {f"{threshold:.2f}": benefit[:, column] for column, threshold in enumerate(THRESHOLDS)}
