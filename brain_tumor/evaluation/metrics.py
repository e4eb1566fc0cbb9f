"""Metrics of weighted samples, for many weightings at once.

Every function takes weights float64 [B, N] (B resamples of N images) and returns [B], so that a point estimate (weights
of 1) and a bootstrap are the same computation. What is undefined is NaN. Definitions are scikit-learn's; the tests
compare the two.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from brain_tumor.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]
ECE_BINS = 15


def metric_values(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    """All metrics of a predictions table.

    Args:
        predictions: N images of C classes.
        weights: float64 [B, N], from 0.

    Returns:
        Name → float64 [B]: ``f1_macro accuracy balanced_accuracy auroc mcc ece brier nll`` (``loss`` is ``nll``);
        ``f1 sensitivity specificity ppv npv auroc`` of each class as ``f1/<class>``; and where there is a healthy class
        ``detection/auroc sensitivity specificity f1``, for tumour against healthy.
    """
    labels, p = predictions.labels, predictions.probabilities
    matrix = confusion(labels, p.argmax(axis=1), len(predictions.classes), weights)
    support = matrix.sum(axis=2)
    area = np.stack([auroc(labels == c, p[:, c], weights) for c in range(p.shape[1])], axis=1)
    nll = _mean(-np.log(np.clip(p[np.arange(len(p)), labels], np.finfo(float).tiny, None)), weights)
    values = {
        "loss": nll,
        "f1_macro": _mean_where(f1(matrix), (support > 0) | (matrix.sum(axis=1) > 0)),
        "accuracy": _ratio(np.trace(matrix, axis1=1, axis2=2), support.sum(axis=1)),
        "balanced_accuracy": _mean_where(sensitivity(matrix), support > 0),
        "auroc": _mean_where(area, np.isfinite(area)),
        "mcc": mcc(matrix),
        "ece": ece(labels, p, weights),
        "brier": _mean(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1), weights),
        "nll": nll,
    }
    for name, by_class in {**{name: function(matrix) for name, function in PER_CLASS.items()}, "auroc": area}.items():
        values |= {f"{name}/{label}": by_class[:, c] for c, label in enumerate(predictions.classes)}
    if predictions.healthy is not None:
        values |= _detection(matrix, predictions.healthy)
        score = 1 - p[:, predictions.healthy]
        values["detection/auroc"] = auroc(labels != predictions.healthy, score, weights)
    return values


def confusion(
    labels: npt.NDArray[np.int64], found: npt.NDArray[np.int64], classes: int, weights: Floats
) -> npt.NDArray[np.float64]:
    """Weighted confusion matrices float64 [B, C, C]: rows are true classes, columns predicted ones."""
    cells = np.eye(classes * classes)[labels * classes + found]
    matrices: Floats = (weights @ cells).reshape(-1, classes, classes)
    return matrices


def sensitivity(matrix: Floats) -> Floats:
    """True positives / images of the class, [B, C] in [0, 1]; higher is better."""
    return _ratio(_hits(matrix), matrix.sum(axis=2))


def ppv(matrix: Floats) -> Floats:
    """True positives / images predicted as the class, [B, C] in [0, 1]; higher is better."""
    return _ratio(_hits(matrix), matrix.sum(axis=1))


def specificity(matrix: Floats) -> Floats:
    """True negatives / images of other classes, [B, C] in [0, 1]; higher is better."""
    return _ratio(_true_negatives(matrix), matrix.sum(axis=(1, 2))[:, None] - matrix.sum(axis=2))


def npv(matrix: Floats) -> Floats:
    """True negatives / images predicted as other classes, [B, C] in [0, 1]; higher is better."""
    return _ratio(_true_negatives(matrix), matrix.sum(axis=(1, 2))[:, None] - matrix.sum(axis=1))


def f1(matrix: Floats) -> Floats:
    """Harmonic mean of sensitivity and ppv, [B, C] in [0, 1]; higher is better."""
    return _ratio(2 * _hits(matrix), matrix.sum(axis=2) + matrix.sum(axis=1))


PER_CLASS: dict[str, Callable[[Floats], Floats]] = {
    "f1": f1,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "ppv": ppv,
    "npv": npv,
}


def mcc(matrix: Floats) -> Floats:
    """Matthews correlation of K classes (Gorodkin 2004), [B] in [-1, 1]; 0 where one side is constant."""
    true, found, total = matrix.sum(axis=2), matrix.sum(axis=1), matrix.sum(axis=(1, 2))
    covariance = np.trace(matrix, axis1=1, axis2=2) * total - (true * found).sum(axis=1)
    spread = (total**2 - (true**2).sum(axis=1)) * (total**2 - (found**2).sum(axis=1))
    constant = spread <= 1e-12 * np.maximum(total, 1e-300) ** 4
    value = np.where(constant, 0.0, covariance / np.sqrt(np.where(constant, 1.0, spread)))
    return np.where(total > 0, value, np.nan)


def auroc(positive: npt.NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve, ties counted half, [B] in [0, 1]; NaN where only one side has weight."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.nan))  # of runs of equal scores; NaN differs from all
    up = np.add.reduceat(weights[:, order] * positive[order], starts, axis=1)
    down = np.add.reduceat(weights[:, order] * ~positive[order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    return _ratio((up * below).sum(axis=1), up.sum(axis=1) * down.sum(axis=1))


def ece(labels: npt.NDArray[np.int64], p: Floats, weights: Floats) -> Floats:
    """Expected calibration error of the top class, 15 equal bins (Guo 2017), [B] in [0, 1]; lower is better."""
    confidence = p.max(axis=1)
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    gap = ((p.argmax(axis=1) == labels) - confidence)[:, None] * np.eye(ECE_BINS)[bins]
    return _ratio(np.abs(weights @ gap).sum(axis=1), weights.sum(axis=1))


def _detection(matrix: Floats, healthy: int) -> dict[str, Floats]:
    """Tumour (any class but the healthy one) as the positive class of a 2 × 2 matrix."""
    true, found, total = matrix[:, healthy].sum(axis=1), matrix[:, :, healthy].sum(axis=1), matrix.sum(axis=(1, 2))
    right = matrix[:, healthy, healthy]
    binary = np.stack([right, true - right, found - right, total - true - found + right], axis=1).reshape(-1, 2, 2)
    return {
        "detection/sensitivity": sensitivity(binary)[:, 1],
        "detection/specificity": specificity(binary)[:, 1],
        "detection/f1": f1(binary)[:, 1],
    }


def _hits(matrix: Floats) -> Floats:
    return np.diagonal(matrix, axis1=1, axis2=2)


def _true_negatives(matrix: Floats) -> Floats:
    total: Floats = matrix.sum(axis=(1, 2))[:, None]
    negatives: Floats = total - matrix.sum(axis=1) - matrix.sum(axis=2) + _hits(matrix)
    return negatives


def _mean(values: Floats, weights: Floats) -> Floats:
    return _ratio(weights @ values, weights.sum(axis=1))


def _mean_where(values: Floats, present: npt.NDArray[np.bool_]) -> Floats:
    """Mean over the classes present, [B, C] → [B]."""
    return _ratio(np.where(present, values, 0.0).sum(axis=1), present.sum(axis=1).astype(float))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    defined = denominator > 0
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)
