"""Fit a detector on validation scans, and say of each what a detector says that does not know it."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from sklearn.model_selection import GroupKFold

from brain_tumor.errors import DataError
from brain_tumor.evaluation.ood.detector import Normal, Numbers, OODDetector, combined_score, energy
from brain_tumor.types import Floats

FOLDS = 5
DIRECTIONS = 128
"""At most so many are kept of a covariance."""
_FEWEST_ABOVE = 2
"""Scans that may exceed the limit, at least: one alone would set it."""


@dataclass(frozen=True)
class Fitted:
    """A detector, and what its like say of the scans that it was fitted on."""

    detector: OODDetector
    ood_score: Floats
    """[N], of each scan by a distribution that was fitted without its group."""


def fit_ood_detector(
    features: Numbers, logits: Numbers, groups: npt.NDArray[np.int64], *, reject_share: float, seed: int = 0
) -> Fitted:
    """Fit a detector on N scans that the network was not trained on.

    Distances from what was fitted on are too small. So the limit comes from folds: each scan is measured by a
    distribution that was fitted on other groups (cross-conformal prediction, Vovk 2015).

    Args:
        features: [N, D], see `brain_tumor.models.protocol.features_and_logits`.
        logits: [N, C].
        groups: int64 [N]: scans of one patient share one.
        reject_share: Share of scans that may lie above the limit.
        seed: Of the folds.

    Raises:
        DataError: There are too few scans, or too few groups.
    """
    _require_enough(groups, reject_share)
    distances, energies = out_of_fold(features, features, groups, seed), energy(logits)
    usual = np.array([(found.mean(), max(found.std(), 1e-6)) for found in (distances, energies)])
    scores = combined_score(distances, energies, usual)
    limit = float(np.sort(scores)[math.ceil((len(scores) + 1) * (1 - reject_share)) - 1])
    return Fitted(OODDetector(normal_of(features), usual, limit, reject_share, len(groups)), scores - limit)


def out_of_fold(features: Numbers, asked: Numbers, groups: npt.NDArray[np.int64], seed: int = 0) -> Floats:
    """Distance of each scan, as ``asked`` [N, D] tells it, by a distribution fitted on ``features`` of other groups."""
    distances = np.empty(len(groups))
    for others, fold in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(groups, groups=groups):
        distances[fold] = normal_of(features[others]).distance(asked[fold])
    return distances


def rejected_shares(
    detector: OODDetector,
    groups: npt.NDArray[np.int64],
    before: tuple[Numbers, Numbers],
    after: tuple[Numbers, Numbers],
) -> tuple[float, float]:
    """What a detector does to the scans that it was fitted on, as if it did not know them, by two engines.

    Args:
        detector: It.
        groups: int64 [N].
        before: Features and logits of the engine that it was fitted with.
        after: Those of another one.

    Raises:
        DataError: There are too few scans, or too few groups.
    """
    _require_enough(groups, detector.reject_share)
    first, second = (
        combined_score(out_of_fold(before[0], features, groups), energy(logits), detector.usual) > detector.limit
        for features, logits in (before, after)
    )
    return float(first.mean()), float(second.mean())


def normal_of(features: Numbers) -> Normal:
    """The normal distribution of features [N, D], its covariance shrunk towards 1 (Ledoit & Wolf 2004)."""
    centre, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scale = np.maximum(scale, max(float(np.median(scale)), 1e-9))  # else int8's rounding would decide in quiet channels
    x = (features - centre) / scale
    count, width = x.shape
    product = (x @ x.T if width > count else x.T @ x) / count  # they have the same variances: take the smaller one
    shrinkage, mean = _shrinkage(product, x), np.trace(product) / width
    variances, directions = _principal(product, x)
    left = max(mean * width - variances.sum(), 0) / max(width - len(variances), 1)
    shrunk = (1 - shrinkage) * np.append(variances, left) + max(shrinkage * mean, 1e-6)
    return Normal(centre, scale, directions, shrunk[:-1], shrunk[-1:])


def _shrinkage(product: Floats, x: Floats) -> float:
    """In [0, 1]; scikit-learn's ``ledoit_wolf_shrinkage``, of products that are there already."""
    count, width = x.shape
    squares = (product**2).sum()
    error = (((x**2).sum(axis=1) ** 2).mean() - squares) / count
    spread = squares - np.trace(product) ** 2 / width
    return float(min(error / spread, 1)) if spread > 0 else 1.0


def _principal(product: Floats, x: Floats) -> tuple[Floats, Floats]:
    """The largest variances [K] and their directions [D, K]."""
    size, (count, width) = len(product), x.shape
    variances, vectors = eigh(product, subset_by_index=(max(size - DIRECTIONS, 0), size - 1))
    variances = np.maximum(variances, 0)
    if width > count:
        vectors = x.T @ vectors / np.sqrt(np.maximum(count * variances, 1e-9))
    return variances, vectors


def _require_enough(groups: npt.NDArray[np.int64], reject_share: float) -> None:
    fewest, found = math.ceil(_FEWEST_ABOVE / reject_share), len(np.unique(groups))
    if len(groups) < fewest or found < FOLDS:
        raise DataError(
            f"{len(groups)} validation images in {found} groups are too few to tell where the most unusual "
            f"{reject_share:.1%} of scans begin; it takes {fewest} in {FOLDS}."
        )
