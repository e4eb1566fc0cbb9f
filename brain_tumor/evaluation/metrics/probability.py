"""Metrics of probabilities and of scores, for many weightings float64 [B, N] at once."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.types import Floats

ECE_BINS = 15
_SMALLEST = float(np.finfo(float).tiny)
_STEPS, _LARGEST = 30, 50.0
_DONE = 1e-3
"""The last step's length: the error squares from step to step, so that a millionth is left."""


def ece(labels: npt.NDArray[np.int64], p: Floats, weights: Floats) -> Floats:
    """Expected calibration error of the top class, 15 equal bins (Guo 2017), [B] in [0, 1]; lower is better."""
    confidence = p.max(axis=1)
    return _gap(p.argmax(axis=1) == labels, confidence, equal_width(confidence), weights)


def ece_mass(labels: npt.NDArray[np.int64], p: Floats, weights: Floats) -> Floats:
    """The same in 15 bins of equally many images (Nixon 2019), [B] in [0, 1]; equal confidences share a bin."""
    confidence = p.max(axis=1)
    edges = np.quantile(confidence, np.arange(1, ECE_BINS) / ECE_BINS)
    return _gap(p.argmax(axis=1) == labels, confidence, np.searchsorted(edges, confidence, side="left"), weights)


def ece_classwise(labels: npt.NDArray[np.int64], p: Floats, weights: Floats) -> Floats:
    """Mean over classes of the error of each class's probability, 15 equal bins (Kull 2019), [B] in [0, 1]."""
    gaps = [_gap(labels == c, p[:, c], equal_width(p[:, c]), weights) for c in range(p.shape[1])]
    return np.mean(gaps, axis=0)  # type: ignore[no-any-return]


def brier(labels: npt.NDArray[np.int64], p: Floats, weights: Floats) -> Floats:
    """Squared distance of probabilities from the truth, summed over classes (Brier 1950), [B] in [0, 2]."""
    return weighted_mean(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1), weights)


def nll(labels: npt.NDArray[np.int64], p: Floats, weights: Floats) -> Floats:
    """Mean negative logarithm of the true class's probability, [B] from 0; lower is better."""
    return weighted_mean(-np.log(np.clip(p[np.arange(len(p)), labels], _SMALLEST, None)), weights)


def recalibration(positive: npt.NDArray[np.bool_], score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Slope and intercept of a logistic regression of the truth on the logit of a probability (Cox 1958).

    The slope is 1 where the probability is as spread as it should be, below where it is too extreme. The intercept is
    taken with the slope held at 1 (calibration in the large, Van Calster 2019): 0 where the mean is right, above where
    positives are more frequent than it says.

    Args:
        positive: bool [N].
        score: Probability of a positive, float64 [N].
        weights: float64 [B, N].

    Returns:
        Each [B]; NaN where one side has no weight, or where the score parts both sides, so that no slope is the best;
        in all, if that is so with equal weights.
    """
    logit = np.log(np.clip(score, 1e-12, None)) - np.log(np.clip(1 - score, 1e-12, None))
    design = np.stack([np.ones_like(logit), logit], axis=1)
    both = _newton(design, np.zeros_like(logit), positive, weights)
    shift = _newton(design[:, :1], logit, positive, weights)
    return both[:, 1], shift[:, 0]


def equal_width(p: Floats) -> npt.NDArray[np.int64]:
    """The bin of each probability, from 0 to 14; a limit belongs to the bin below it."""
    return np.clip(np.ceil(p * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Means of values [N], [B]."""
    return ratio(weights @ values, weights.sum(axis=1))


def _gap(right: npt.NDArray[np.bool_], p: Floats, bins: npt.NDArray[np.int64], weights: Floats) -> Floats:
    gap = (right - p)[:, None] * np.eye(ECE_BINS)[bins]
    return ratio(np.abs(weights @ gap).sum(axis=1), weights.sum(axis=1))


def _newton(design: Floats, offset: Floats, positive: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """Coefficients [B, K] of logistic regressions on ``design`` [N, K]; NaN where the search leads nowhere.

    Where it leads nowhere for the images as they are, it is given up for all. All start one step from what fits the
    images as they are: there, probabilities are the same for all.
    """
    products = np.einsum("ni,nj->nij", design, design).reshape(len(design), -1)
    everyone, nothing = np.ones((1, len(design))), np.zeros((1, design.shape[1]))
    [start] = _descend(design, products, offset, positive, everyone, nothing)
    if np.isnan(start).any():
        return np.full((len(weights), design.shape[1]), np.nan)
    p = expit(offset + design @ start)
    first = start + _step(weights @ ((positive - p)[:, None] * design), weights @ ((p * (1 - p))[:, None] * products))
    return _descend(design, products, offset, positive, weights, first)


def _descend(
    design: Floats, products: Floats, offset: Floats, positive: npt.NDArray[np.bool_], weights: Floats, found: Floats
) -> Floats:
    good, open_ = np.zeros(len(found), bool), np.arange(len(found))
    for _ in range(_STEPS):
        w = weights if len(open_) == len(weights) else weights[open_]
        p = expit(found[open_] @ design.T + offset)
        slope = (w * positive) @ design - (w * p) @ design
        p -= p**2
        p *= w
        step = _step(slope, p @ products)
        found[open_] += step
        done = np.abs(step).max(axis=1) < _DONE
        lost = np.abs(found[open_]).max(axis=1) > _LARGEST
        good[open_[done & ~lost]] = True
        open_ = open_[~done & ~lost]
        if not len(open_):
            break
    return np.where(good[:, None], found, np.nan)


def _step(slope: Floats, curve: Floats) -> Floats:
    """Newton's step [B, K], at most 2 long in each direction."""
    curve = curve.reshape(len(slope), slope.shape[1], slope.shape[1])
    ridge = 1e-12 * (1 + np.trace(curve, axis1=1, axis2=2))[:, None, None] * np.eye(slope.shape[1])
    step: Floats = np.clip(np.linalg.solve(curve + ridge, slope[..., None])[..., 0], -2, 2)
    return step


def ranking(positive: npt.NDArray[np.bool_], score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Areas under the ROC and the precision–recall curve, each [B] in [0, 1]; higher is better.

    The first counts ties half; NaN where only one side has weight. The second is average precision: the precision at
    each threshold, weighted by the step in sensitivity, without interpolation (as scikit-learn); NaN without positives.

    Args:
        positive: bool [N].
        score: float64 [N].
        weights: float64 [B, N].
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.nan))  # of runs of equal scores; NaN differs from all
    ordered = weights[:, order]
    up = np.add.reduceat(ordered * positive[order], starts, axis=1)
    down = np.add.reduceat(ordered, starts, axis=1) - up
    up_below, down_below = np.cumsum(up, axis=1), np.cumsum(down, axis=1)
    ups, downs = up_below[:, -1], down_below[:, -1]
    area = ratio((up * (down_below - down / 2)).sum(axis=1), ups * downs)
    up_from = ups[:, None] - up_below + up
    all_from = up_from + downs[:, None] - down_below + down
    precision = up_from / np.maximum(all_from, np.finfo(float).tiny)
    return area, ratio((up * precision).sum(axis=1), ups)


def auroc(positive: npt.NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve, see `ranking`."""
    return ranking(positive, score, weights)[0]
