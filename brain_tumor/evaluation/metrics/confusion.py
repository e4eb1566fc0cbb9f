"""Metrics that need the predicted class alone; each takes weighted confusion matrices of many resamples at once.

Matrices are float64 [B, C, C]: rows are true classes, columns predicted ones. What is undefined is NaN.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from brain_tumor.types import Floats


def confusion(
    labels: npt.NDArray[np.int64], found: npt.NDArray[np.int64], classes: int, weights: Floats
) -> npt.NDArray[np.float64]:
    """Weighted confusion matrices float64 [B, C, C]: rows are true classes, columns predicted ones."""
    cells = np.eye(classes * classes)[labels * classes + found]
    matrices: Floats = (weights @ cells).reshape(-1, classes, classes)
    return matrices


def sensitivity(matrix: Floats) -> Floats:
    """True positives / images of the class, [B, C] in [0, 1]; higher is better."""
    return ratio(_hits(matrix), matrix.sum(axis=2))


def ppv(matrix: Floats) -> Floats:
    """True positives / images predicted as the class, [B, C] in [0, 1]; higher is better."""
    return ratio(_hits(matrix), matrix.sum(axis=1))


def specificity(matrix: Floats) -> Floats:
    """True negatives / images of other classes, [B, C] in [0, 1]; higher is better."""
    return ratio(_true_negatives(matrix), matrix.sum(axis=(1, 2))[:, None] - matrix.sum(axis=2))


def npv(matrix: Floats) -> Floats:
    """True negatives / images predicted as other classes, [B, C] in [0, 1]; higher is better."""
    return ratio(_true_negatives(matrix), matrix.sum(axis=(1, 2))[:, None] - matrix.sum(axis=1))


def f1(matrix: Floats) -> Floats:
    """Harmonic mean of sensitivity and ppv, [B, C] in [0, 1]; higher is better."""
    return ratio(2 * _hits(matrix), matrix.sum(axis=2) + matrix.sum(axis=1))


PER_CLASS: dict[str, Callable[[Floats], Floats]] = {
    "f1": f1,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "ppv": ppv,
    "npv": npv,
}


def accuracy(matrix: Floats) -> Floats:
    """Share of images whose class is found, [B] in [0, 1]; higher is better."""
    return ratio(np.trace(matrix, axis1=1, axis2=2), matrix.sum(axis=(1, 2)))


def balanced_accuracy(matrix: Floats) -> Floats:
    """Mean sensitivity of the classes that have images, [B] in [0, 1]; higher is better."""
    return mean_where(sensitivity(matrix), matrix.sum(axis=2) > 0)


def f1_macro(matrix: Floats) -> Floats:
    """Mean F1 of the classes that have images or are predicted, [B] in [0, 1]; higher is better."""
    return mean_where(f1(matrix), (matrix.sum(axis=2) > 0) | (matrix.sum(axis=1) > 0))


def mcc(matrix: Floats) -> Floats:
    """Matthews correlation of K classes (Gorodkin 2004), [B] in [-1, 1]; 0 where one side is constant."""
    true, found, total = matrix.sum(axis=2), matrix.sum(axis=1), matrix.sum(axis=(1, 2))
    covariance = np.trace(matrix, axis1=1, axis2=2) * total - (true * found).sum(axis=1)
    spread = (total**2 - (true**2).sum(axis=1)) * (total**2 - (found**2).sum(axis=1))
    constant = spread <= 1e-12 * np.maximum(total, 1e-300) ** 4
    value = np.where(constant, 0.0, covariance / np.sqrt(np.where(constant, 1.0, spread)))
    return np.where(total > 0, value, np.nan)


def kappa(matrix: Floats) -> Floats:
    """Agreement beyond chance (Cohen 1960), [B] in [-1, 1]; NaN where chance alone agrees always."""
    total = matrix.sum(axis=(1, 2))
    chance = ratio((matrix.sum(axis=2) * matrix.sum(axis=1)).sum(axis=1), total**2)
    return ratio(accuracy(matrix) - chance, np.where(1 - chance > 1e-12, 1 - chance, 0.0))


def one_against_rest(matrix: Floats, negative: int) -> Floats:
    """Matrices [B, 2, 2] of ``negative`` (first) against all other classes taken together (second)."""
    true, found, total = matrix[:, negative].sum(axis=1), matrix[:, :, negative].sum(axis=1), matrix.sum(axis=(1, 2))
    right = matrix[:, negative, negative]
    return np.stack([right, true - right, found - right, total - true - found + right], axis=1).reshape(-1, 2, 2)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient; NaN where the denominator is not above 0."""
    defined = denominator > 0
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)


def mean_where(values: Floats, present: npt.NDArray[np.bool_]) -> Floats:
    """Mean over the classes present, [B, C] → [B]."""
    return ratio(np.where(present, values, 0.0).sum(axis=1), present.sum(axis=1).astype(float))


def _hits(matrix: Floats) -> Floats:
    return np.diagonal(matrix, axis1=1, axis2=2)


def _true_negatives(matrix: Floats) -> Floats:
    total: Floats = matrix.sum(axis=(1, 2))[:, None]
    negatives: Floats = total - matrix.sum(axis=1) - matrix.sum(axis=2) + _hits(matrix)
    return negatives
