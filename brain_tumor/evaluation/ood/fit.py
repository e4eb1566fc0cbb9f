"""Fit of an OOD detector on validation scans, with out-of-fold scores of these scans."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, solve
from sklearn.model_selection import GroupKFold

from brain_tumor.errors import DataError
from brain_tumor.evaluation.ood.detector import (
    EnsembleDetector,
    NormalDistribution,
    Numbers,
    OODDetector,
    combined_score,
    energy,
)
from brain_tumor.types import Floats, Rows

FOLDS = 5
MAX_DIRECTIONS = 128
"""Largest number of principal directions kept of a covariance."""
_RIDGE = 1e-3
"""Shrinkage of the covariance behind the direction of OOD images."""
_MIN_REJECTED = 2
"""Smallest number of scans that exceed the limit; with one, a single scan would determine it."""


@dataclass(frozen=True)
class FittedDetector:
    """A detector, and scores of the scans that it was fitted on."""

    detector: OODDetector
    ood_score: Floats
    """[N], OOD score of each scan by a distribution that was fitted without its group."""


def fit_ood_detector(
    features: Numbers,
    logits: Numbers,
    groups: Rows,
    outliers: Numbers | None = None,
    *,
    reject_share: float,
    seed: int = 0,
) -> FittedDetector:
    """Fit a detector on N scans that the network was not trained on, and on examples of OOD images.

    Distances of the fitted scans themselves would be too small. The limit is therefore computed from out-of-fold
    distances: each scan is compared with a distribution of other groups (cross-conformal prediction, Vovk 2015), and
    projected on a direction that was fitted without its group.

    Args:
        features: Features [N, D], see `brain_tumor.models.features.features_and_logits`.
        logits: Logits [N, C].
        groups: Group numbers int64 [N]; scans of one patient share a group.
        outliers: Features [M, D] of OOD images, see `brain_tumor.evaluation.ood.outliers.outliers`; None: no direction
            is fitted.
        reject_share: Share of scans that may exceed the limit, in (0, 1).
        seed: Seed of the folds.

    Raises:
        DataError: There are too few scans or groups.
    """
    require_enough(groups, reject_share)
    distances, energies = out_of_fold_distances(features, features, groups, seed), energy(logits)
    normal, direction, projections = fit_normal(features), None, None
    if outliers is not None:
        x, examples = normal.standardised(features), normal.standardised(outliers)
        direction, projections = fit_direction(x, examples), np.empty(len(groups))
        for others, fold in _folds(groups, seed):
            projections[fold] = x[fold] @ fit_direction(x[others], examples)
    scores = [distances, energies] if projections is None else [distances, energies, projections]
    statistics = np.array([(score.mean(), max(score.std(), 1e-6)) for score in scores])
    combined = combined_score(distances, energies, projections, statistics)
    limit = float(np.sort(combined)[math.ceil((len(combined) + 1) * (1 - reject_share)) - 1])
    detector = OODDetector(normal, statistics, limit, reject_share, len(groups), direction)
    return FittedDetector(detector, combined - limit)


def fit_direction(scans: Floats, outliers: Floats) -> Floats:
    """Fit the direction [D] along which OOD images differ most from scans (Fisher's linear discriminant).

    Scans and OOD images have the same weight; the covariance is shrunk by `_RIDGE` times its mean variance.

    Args:
        scans: Standardised features of scans, [N, D].
        outliers: Standardised features of OOD images, [M, D].
    """
    both = np.concatenate([scans, outliers])
    weights = np.repeat([0.5 / len(scans), 0.5 / len(outliers)], [len(scans), len(outliers)])
    x = both - weights @ both
    covariance = (x * weights[:, None]).T @ x
    ridge = max(_RIDGE * float(np.trace(covariance)) / len(covariance), 1e-9)
    covariance[np.diag_indices_from(covariance)] += ridge
    difference = outliers.mean(axis=0) - scans.mean(axis=0)
    return np.asarray(solve(covariance, difference, assume_a="pos"), np.float64)


def rejected_shares(
    detector: OODDetector | EnsembleDetector,
    groups: Rows,
    reference: tuple[Numbers, Numbers],
    other: tuple[Numbers, Numbers],
) -> tuple[float, float]:
    """Compute the share of fitted scans that is rejected with the outputs of two engines, from out-of-fold distances.

    Of an ensemble, whose detectors were fitted on scans of several splits, the scores themselves are compared.

    Args:
        detector: Detector that was fitted on these scans with the reference engine.
        groups: Group numbers int64 [N].
        reference: Features [N, D] and logits [N, C] of the reference engine.
        other: Features and logits of the other engine.

    Returns:
        Share of the reference engine and of the other engine, in [0, 1].

    Raises:
        DataError: There are too few scans or groups.
    """
    require_enough(groups, detector.reject_share)
    if isinstance(detector, EnsembleDetector):
        first, second = (float((detector.ood_score(*outputs) > 0).mean()) for outputs in (reference, other))
        return first, second

    def share(features: Numbers, logits: Numbers) -> float:
        distances = out_of_fold_distances(reference[0], features, groups)
        return float((detector.combined(features, distances, energy(logits)) > detector.limit).mean())

    return share(*reference), share(*other)


def out_of_fold_distances(fitted: Numbers, measured: Numbers, groups: Rows, seed: int = 0) -> Floats:
    """Compute the distance of each scan from a distribution of scans of other groups, float64 [N].

    Args:
        fitted: Features [N, D] to which the distributions are fitted.
        measured: Features [N, D] of the same scans whose distance is computed.
        groups: Group numbers int64 [N].
        seed: Seed of the folds.
    """
    distances = np.empty(len(groups))
    for others, fold in _folds(groups, seed):
        distances[fold] = fit_normal(fitted[others]).distance(measured[fold])
    return distances


def _folds(groups: Rows, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows of the other folds, and of each fold; a group is in one fold."""
    folds: Iterator[tuple[Rows, Rows]] = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(groups, groups=groups)
    return folds


def fit_normal(features: Numbers) -> NormalDistribution:
    """Fit a normal distribution to features [N, D], with its covariance shrunk towards 1 (Ledoit & Wolf 2004)."""
    centre, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    # the floor keeps rounding errors of int8 engines in channels of low variance from dominating the distance
    scale = np.maximum(scale, max(float(np.median(scale)), 1e-9))
    x = (features - centre) / scale
    count, width = x.shape
    product = (x @ x.T if width > count else x.T @ x) / count  # both have the same eigenvalues: use the smaller one
    shrinkage, mean = _shrinkage(product, x), np.trace(product) / width
    variances, directions = _principal_directions(product, x)
    residual = max(mean * width - variances.sum(), 0) / max(width - len(variances), 1)
    shrunk = (1 - shrinkage) * np.append(variances, residual) + max(shrinkage * mean, 1e-6)
    return NormalDistribution(centre, scale, directions, shrunk[:-1], shrunk[-1:])


def _shrinkage(product: Floats, x: Floats) -> float:
    """Compute scikit-learn's ``ledoit_wolf_shrinkage``, in [0, 1], from a product that is already available."""
    count, width = x.shape
    squares = (product**2).sum()
    error = (((x**2).sum(axis=1) ** 2).mean() - squares) / count
    spread = squares - np.trace(product) ** 2 / width
    return float(min(error / spread, 1)) if spread > 0 else 1.0


def _principal_directions(product: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Compute the largest variances [K] and their directions [D, K]."""
    size, (count, width) = len(product), x.shape
    variances, vectors = eigh(product, subset_by_index=(max(size - MAX_DIRECTIONS, 0), size - 1))
    variances = np.maximum(variances, 0)
    if width > count:
        vectors = x.T @ vectors / np.sqrt(np.maximum(count * variances, 1e-9))
    return variances, vectors


def require_enough(groups: Rows, reject_share: float) -> None:
    """Refuse scans that are too few to fit a detector.

    Args:
        groups: Group numbers int64 [N].
        reject_share: Share of scans that may be rejected, in (0, 1).

    Raises:
        DataError: There are too few scans or groups.
    """
    min_images, n_groups = math.ceil(_MIN_REJECTED / reject_share), len(np.unique(groups))
    if len(groups) < min_images or n_groups < FOLDS:
        raise DataError(
            f"{len(groups)} validation images in {n_groups} groups are too few to fit an OOD detector that rejects "
            f"{reject_share:.1%} of scans: expected at least {min_images} images in {FOLDS} groups."
        )
