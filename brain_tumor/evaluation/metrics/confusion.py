"""Metrics of the predicted classes, computed from weighted confusion matrices of many resamples at once.

Matrices are float64 [B, C, C]: rows are true classes, columns predicted classes. Undefined values are NaN.
"""

from collections.abc import Callable

import numpy as np

from brain_tumor.types import Flags, Floats, Rows


def confusion(labels: Rows, predicted: Rows, classes: int, weights: Floats) -> Floats:
    """Compute weighted confusion matrices float64 [B, C, C]: rows are true classes, columns predicted classes.

    Args:
        labels: True classes int64 [N].
        predicted: Predicted classes int64 [N].
        classes: Number of classes, C.
        weights: Weights of the images float64 [B, N].
    """
    cells = np.eye(classes * classes)[labels * classes + predicted]
    matrices: Floats = (weights @ cells).reshape(-1, classes, classes)
    return matrices


def sensitivity(matrix: Floats) -> Floats:
    """Compute true positives / images of the class, [B, C] in [0, 1]; higher is better."""
    return ratio(_true_positives(matrix), matrix.sum(axis=2))


def ppv(matrix: Floats) -> Floats:
    """Compute true positives / images predicted as the class, [B, C] in [0, 1]; higher is better."""
    return ratio(_true_positives(matrix), matrix.sum(axis=1))


def specificity(matrix: Floats) -> Floats:
    """Compute true negatives / images of other classes, [B, C] in [0, 1]; higher is better."""
    return ratio(_true_negatives(matrix), matrix.sum(axis=(1, 2))[:, None] - matrix.sum(axis=2))


def npv(matrix: Floats) -> Floats:
    """Compute true negatives / images predicted as other classes, [B, C] in [0, 1]; higher is better."""
    return ratio(_true_negatives(matrix), matrix.sum(axis=(1, 2))[:, None] - matrix.sum(axis=1))


def f1(matrix: Floats) -> Floats:
    """Compute the harmonic mean of sensitivity and PPV, [B, C] in [0, 1]; higher is better."""
    return ratio(2 * _true_positives(matrix), matrix.sum(axis=2) + matrix.sum(axis=1))


PER_CLASS: dict[str, Callable[[Floats], Floats]] = {
    "f1": f1,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "ppv": ppv,
    "npv": npv,
}
"""Metric name → function matrices [B, C, C] → values [B, C]."""


def accuracy(matrix: Floats) -> Floats:
    """Compute the fraction of correctly predicted images, [B] in [0, 1]; higher is better."""
    return ratio(np.trace(matrix, axis1=1, axis2=2), matrix.sum(axis=(1, 2)))


def balanced_accuracy(matrix: Floats) -> Floats:
    """Compute the mean sensitivity of the classes that have images, [B] in [0, 1]; higher is better."""
    return mean_where(sensitivity(matrix), matrix.sum(axis=2) > 0)


def f1_macro(matrix: Floats) -> Floats:
    """Compute the mean F1 of the classes that have images or are predicted, [B] in [0, 1]; higher is better."""
    return mean_where(f1(matrix), (matrix.sum(axis=2) > 0) | (matrix.sum(axis=1) > 0))


def mcc(matrix: Floats) -> Floats:
    """Compute the multi-class Matthews correlation coefficient (Gorodkin 2004), [B] in [-1, 1]; higher is better.

    It is 0 where all labels or all predictions are one class.
    """
    true, predicted, total = matrix.sum(axis=2), matrix.sum(axis=1), matrix.sum(axis=(1, 2))
    covariance = np.trace(matrix, axis1=1, axis2=2) * total - (true * predicted).sum(axis=1)
    spread = (total**2 - (true**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1))
    constant = spread <= 1e-12 * np.maximum(total, 1e-300) ** 4
    value = np.where(constant, 0.0, covariance / np.sqrt(np.where(constant, 1.0, spread)))
    return np.where(total > 0, value, np.nan)


def kappa(matrix: Floats) -> Floats:
    """Compute Cohen's kappa (Cohen 1960), [B] in [-1, 1]; higher is better, NaN where chance agreement is 1."""
    total = matrix.sum(axis=(1, 2))
    chance = ratio((matrix.sum(axis=2) * matrix.sum(axis=1)).sum(axis=1), total**2)
    return ratio(accuracy(matrix) - chance, np.where(1 - chance > 1e-12, 1 - chance, 0.0))


def binary_confusion(matrix: Floats, negative: int) -> Floats:
    """Reduce to matrices [B, 2, 2] of one class (index 0, negative) against all others together (index 1)."""
    true, predicted = matrix[:, negative].sum(axis=1), matrix[:, :, negative].sum(axis=1)
    total, correct = matrix.sum(axis=(1, 2)), matrix[:, negative, negative]
    cells = [correct, true - correct, predicted - correct, total - true - predicted + correct]
    return np.stack(cells, axis=1).reshape(-1, 2, 2)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where the denominator is not above 0."""
    defined = denominator > 0
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)


def mean_where(values: Floats, present: Flags) -> Floats:
    """Average over the classes that are present, [B, C] → [B]."""
    return ratio(np.where(present, values, 0.0).sum(axis=1), present.sum(axis=1).astype(float))


def _true_positives(matrix: Floats) -> Floats:
    return np.diagonal(matrix, axis1=1, axis2=2)


def _true_negatives(matrix: Floats) -> Floats:
    total: Floats = matrix.sum(axis=(1, 2))[:, None]
    negatives: Floats = total - matrix.sum(axis=1) - matrix.sum(axis=2) + _true_positives(matrix)
    return negatives
