"""Metrics of probabilities and scores, for many weightings of the images float64 [B, N] at once."""

import numpy as np
from scipy.special import expit

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.types import Flags, Floats, Rows

ECE_BINS = 15
_TINY = float(np.finfo(float).tiny)
_MAX_STEPS, _MAX_COEFFICIENT = 30, 50.0
_TOLERANCE = 1e-3
"""Length of the last Newton step. The error is squared at each step, so that about 1e-6 remains."""


def ece(labels: Rows, p: Floats, weights: Floats) -> Floats:
    """Compute the expected calibration error of the predicted class in 15 equal bins (Guo 2017), [B] in [0, 1].

    Lower is better.

    Args:
        labels: True classes int64 [N].
        p: Probabilities float64 [N, C].
        weights: Weights of the images float64 [B, N].
    """
    confidence = p.max(axis=1)
    return _calibration_error(p.argmax(axis=1) == labels, confidence, equal_width_bins(confidence), weights)


def ece_mass(labels: Rows, p: Floats, weights: Floats) -> Floats:
    """Compute `ece` in 15 bins of equally many images (Nixon 2019), [B] in [0, 1]; equal confidences share a bin."""
    confidence = p.max(axis=1)
    edges = np.quantile(confidence, np.arange(1, ECE_BINS) / ECE_BINS)
    bins = np.searchsorted(edges, confidence, side="left")
    return _calibration_error(p.argmax(axis=1) == labels, confidence, bins, weights)


def ece_classwise(labels: Rows, p: Floats, weights: Floats) -> Floats:
    """Compute the mean over classes of the calibration error of each class's probability (Kull 2019), [B] in [0, 1]."""
    errors = [_calibration_error(labels == c, p[:, c], equal_width_bins(p[:, c]), weights) for c in range(p.shape[1])]
    return np.mean(errors, axis=0)  # type: ignore[no-any-return]


def equal_width_bins(p: Floats) -> Rows:
    """Assign each probability to a bin, 0 to 14; an edge belongs to the bin below it."""
    return np.clip(np.ceil(p * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)


def _calibration_error(positive: Flags, p: Floats, bins: Rows, weights: Floats) -> Floats:
    differences = (positive - p)[:, None] * np.eye(ECE_BINS)[bins]
    return ratio(np.abs(weights @ differences).sum(axis=1), weights.sum(axis=1))


def brier(labels: Rows, p: Floats, weights: Floats) -> Floats:
    """Compute the squared distance of probabilities from the one-hot label (Brier 1950), [B] in [0, 2].

    Lower is better.
    """
    return weighted_mean(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1), weights)


def nll(labels: Rows, p: Floats, weights: Floats) -> Floats:
    """Compute the mean negative log-likelihood in nats, [B] from 0; lower is better."""
    return weighted_mean(-np.log(np.clip(p[np.arange(len(p)), labels], _TINY, None)), weights)


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Compute the weighted means [B] of values [N]."""
    return ratio(weights @ values, weights.sum(axis=1))


def ranking(positive: Flags, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Compute the areas under the ROC and the precision–recall curve, each [B] in [0, 1]; higher is better.

    The ROC area counts ties half and is NaN without positives or without negatives. The precision–recall area is
    average precision: the precision at each threshold, weighted by the step in sensitivity, without interpolation (as
    in scikit-learn); it is NaN without positives.

    Args:
        positive: bool [N].
        score: float64 [N].
        weights: Weights of the images float64 [B, N].
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.nan))  # of runs of equal scores; NaN differs from all
    ordered = weights[:, order]
    positives = np.add.reduceat(ordered * positive[order], starts, axis=1)
    negatives = np.add.reduceat(ordered, starts, axis=1) - positives
    positives_to, negatives_to = np.cumsum(positives, axis=1), np.cumsum(negatives, axis=1)
    all_positives, all_negatives = positives_to[:, -1], negatives_to[:, -1]
    roc = ratio((positives * (negatives_to - negatives / 2)).sum(axis=1), all_positives * all_negatives)
    positives_from = all_positives[:, None] - positives_to + positives
    images_from = positives_from + all_negatives[:, None] - negatives_to + negatives
    precision = positives_from / np.maximum(images_from, _TINY)
    return roc, ratio((positives * precision).sum(axis=1), all_positives)


def auroc(positive: Flags, score: Floats, weights: Floats) -> Floats:
    """Compute the area under the ROC curve, see `ranking`."""
    return ranking(positive, score, weights)[0]


def recalibration(positive: Flags, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Compute calibration slope and intercept: logistic regression of the label on the logit of the score (Cox 1958).

    The slope is 1 for calibrated scores and below 1 where they are too extreme. The intercept is fitted with the slope
    fixed at 1 (calibration in the large, Van Calster 2019): 0 where the mean score equals the share of positives, above
    0 where positives are more frequent than the scores say.

    Args:
        positive: bool [N].
        score: Probability of a positive, float64 [N].
        weights: Weights of the images float64 [B, N].

    Returns:
        Slope and intercept, each [B]. NaN without positives or without negatives, and where the score separates them,
        so that no finite slope is optimal; NaN in all rows if this holds for equal weights.
    """
    logit = np.log(np.clip(score, 1e-12, None)) - np.log(np.clip(1 - score, 1e-12, None))
    design = np.stack([np.ones_like(logit), logit], axis=1)
    both = _logistic_regressions(design, np.zeros_like(logit), positive, weights)
    shift = _logistic_regressions(design[:, :1], logit, positive, weights)
    return both[:, 1], shift[:, 0]


def _logistic_regressions(design: Floats, offset: Floats, positive: Flags, weights: Floats) -> Floats:
    """Fit the coefficients [B, K] of logistic regressions on ``design`` [N, K]; NaN where Newton's method diverges.

    The fit with equal weights comes first; if it diverges, all are NaN. The others start one Newton step from it: at
    that point the probabilities, and thus the curvature of each image, are the same for all weightings.
    """
    products = np.einsum("ni,nj->nij", design, design).reshape(len(design), -1)
    equal_weights, zero = np.ones((1, len(design))), np.zeros((1, design.shape[1]))
    [start] = _newton(design, products, offset, positive, equal_weights, zero)
    if np.isnan(start).any():
        return np.full((len(weights), design.shape[1]), np.nan)
    p = expit(offset + design @ start)
    gradient = weights @ ((positive - p)[:, None] * design)
    first = start + _newton_step(gradient, weights @ ((p * (1 - p))[:, None] * products))
    return _newton(design, products, offset, positive, weights, first)


def _newton(
    design: Floats, products: Floats, offset: Floats, positive: Flags, weights: Floats, coefficients: Floats
) -> Floats:
    """Iterate ``coefficients`` [B, K] in place until convergence; return NaN in rows that do not converge."""
    converged, active = np.zeros(len(coefficients), bool), np.arange(len(coefficients))
    for _ in range(_MAX_STEPS):
        w = weights if len(active) == len(weights) else weights[active]
        p = expit(coefficients[active] @ design.T + offset)
        gradient = (w * positive) @ design - (w * p) @ design
        p -= p**2
        p *= w
        step = _newton_step(gradient, p @ products)
        coefficients[active] += step
        small = np.abs(step).max(axis=1) < _TOLERANCE
        diverged = np.abs(coefficients[active]).max(axis=1) > _MAX_COEFFICIENT
        converged[active[small & ~diverged]] = True
        active = active[~small & ~diverged]
        if not len(active):
            break
    return np.where(converged[:, None], coefficients, np.nan)


def _newton_step(gradient: Floats, hessian: Floats) -> Floats:
    """Compute a Newton step [B, K], at most 2 long in each direction."""
    hessian = hessian.reshape(len(gradient), gradient.shape[1], gradient.shape[1])
    ridge = 1e-12 * (1 + np.trace(hessian, axis1=1, axis2=2))[:, None, None] * np.eye(gradient.shape[1])
    step: Floats = np.clip(np.linalg.solve(hessian + ridge, gradient[..., None])[..., 0], -2, 2)
    return step
