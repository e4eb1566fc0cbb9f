"""Temperature scaling (Guo 2017): calibrated probabilities are the softmax of logits divided by one number.

The only place where a temperature is applied. Its import needs NumPy alone, so that serving may use it.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from brain_tumor.types import Floats

if TYPE_CHECKING:
    from brain_tumor.evaluation.predictions import Predictions

RANGE = (0.1, 10.0)
"""Temperatures that may be fitted."""


def softmax(logits: npt.NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """Compute probabilities float64 [N, C] from logits [N, C] divided by a temperature; above 1 is less confident."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(predictions: "Predictions") -> float:
    """Return the temperature within `RANGE` at which the mean negative log-likelihood is lowest.

    Where every image is classified correctly, the likelihood has no maximum: the temperature stays 1.
    """
    from scipy.optimize import minimize_scalar

    from brain_tumor.evaluation.metrics.probability import nll

    if (predictions.predicted == predictions.labels).all():
        return 1.0
    weights = np.ones((1, len(predictions.labels)))

    def loss(log_temperature: float) -> float:
        p = softmax(predictions.logits, float(np.exp(log_temperature)))
        return float(nll(predictions.labels, p, weights)[0])

    bounds = (float(np.log(RANGE[0])), float(np.log(RANGE[1])))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def calibrated(predictions: "Predictions", temperature: float) -> "Predictions":
    """Return predictions at a temperature; the most probable classes stay the same."""
    return predictions.with_probabilities(softmax(predictions.logits, temperature))
