"""Decision curve (Vickers & Elkin 2006): is acting on the model better than treating everyone, or no one?"""

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
    """Net benefit at each of `THRESHOLDS`: true positives less false ones, weighed by the odds of the threshold.

    Args:
        predictions: With a healthy class; probabilities should be calibrated, as thresholds are read as probabilities.
        prevalence: Share of tumours, in (0, 1), that sensitivity and specificity are weighed with.
        options: As for `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        Columns ``threshold, model, ci_low, ci_high, treat_all``, per image; treating no one is 0.
    """
    found = estimates(partial(_values, predictions, prevalence), predictions.groups, {}, **options)
    rows = [found[f"{threshold:.2f}"] for threshold in THRESHOLDS]
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


def _values(predictions: Predictions, prevalence: float, weights: Floats) -> dict[str, Floats]:
    assert predictions.detection is not None  # noqa: S101 - asked for with a healthy class alone
    tumour = (predictions.labels != predictions.healthy)[:, None]
    said = predictions.detection[:, None] >= THRESHOLDS
    sides = np.concatenate([tumour, ~tumour], axis=1).astype(float)
    sick, healthy = (weights @ sides).T[..., None]
    sensitivity, false = ratio(weights @ (said & tumour), sick), ratio(weights @ (said & ~tumour), healthy)
    benefit = prevalence * sensitivity - (1 - prevalence) * false * THRESHOLDS / (1 - THRESHOLDS)
    return {f"{threshold:.2f}": benefit[:, column] for column, threshold in enumerate(THRESHOLDS)}
