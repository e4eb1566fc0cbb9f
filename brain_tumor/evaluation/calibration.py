"""Temperature scaling (Guo 2017): one number, fitted on validation, that makes a model as sure as it is right."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from brain_tumor.evaluation.metrics import probability
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats

RANGE = (0.1, 10.0)
_LOG_RANGE = (float(np.log(RANGE[0])), float(np.log(RANGE[1])))
_SMALLEST = float(np.finfo(float).tiny)


def fit_temperature(predictions: Predictions) -> float:
    """The temperature within `RANGE` at which the mean negative log-likelihood is lowest.

    Where no image is wrong nothing says how sure is too sure: the temperature stays 1.
    """
    if (predictions.found == predictions.labels).all():
        return 1.0
    everyone = np.ones((1, len(predictions.labels)))

    def loss(log_temperature: float) -> float:
        p = scaled(predictions.probabilities, float(np.exp(log_temperature)))
        return float(probability.nll(predictions.labels, p, everyone)[0])

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded").x))


def scaled(probabilities: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Probabilities [N, C] after their logits are divided by a temperature; above 1 they become less sure."""
    logits = np.log(np.clip(probabilities, _SMALLEST, None)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return found


def calibrated(predictions: Predictions, temperature: float) -> Predictions:
    """A table at a temperature; its predicted classes stay the same."""
    return predictions.with_probabilities(scaled(predictions.probabilities, temperature))


def calibration_values(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    """What a temperature changes: ``ece ece_mass ece_classwise brier nll``, detection's slope and intercept.

    Args:
        predictions: N images.
        weights: float64 [B, N].

    Returns:
        Name → float64 [B].
    """
    names = ("ece", "ece_mass", "ece_classwise", "brier", "nll")
    labels, p, score = predictions.labels, predictions.probabilities, predictions.detection
    found: dict[str, Floats] = {name: getattr(probability, name)(labels, p, weights) for name in names}
    if score is not None:
        slope, intercept = probability.recalibration(labels != predictions.healthy, score, weights)
        found |= {"detection/slope": slope, "detection/intercept": intercept}
    return found


def before_and_after(predictions: Predictions, temperature: float, **options: Any) -> dict[str, dict[str, Estimate]]:
    """`calibration_values` with intervals at temperature 1 and at the one given; ``options`` as for `estimates`."""
    return {
        name: estimates(partial(calibration_values, table), table.groups, {}, **options)
        for name, table in {"before": predictions, "after": calibrated(predictions, temperature)}.items()
    }
