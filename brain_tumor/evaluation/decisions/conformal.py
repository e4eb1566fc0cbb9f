"""Split-conformal prediction: sets of classes that hold the true one as often as stated (Vovk 2005, Sadinle 2019).

The promise holds for images drawn as validation was. Validation also chose the epoch, and images of one patient are not
independent: the coverage on test, reported beside it, tells how far it holds.
"""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats

Sets = npt.NDArray[np.bool_]


def thresholds(predictions: Predictions, coverage: float, by_class: bool) -> npt.NDArray[np.float64]:
    """The largest 1 − p at which a class still joins the set, float64 [C].

    Args:
        predictions: Of validation.
        coverage: Share of images whose set is to hold their class, in (0, 1).
        by_class: Keep the promise for each class (Vovk 2012) instead of for all images together. A class with too few
            images for it joins every set.
    """
    scores = 1 - predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    classes = range(len(predictions.classes))
    kept = [predictions.labels == c if by_class else np.ones(len(scores), bool) for c in classes]
    return np.array([_quantile(scores[rows], coverage) for rows in kept])


def sets(predictions: Predictions, limits: npt.NDArray[np.float64]) -> Sets:
    """The classes in each image's set, bool [N, C]; none where the image is like no class."""
    return np.asarray(1 - predictions.probabilities <= limits)


def judged(predictions: Predictions, members: Sets, **options: Any) -> dict[str, Estimate]:
    """Share of sets that hold the true class, overall and of each class, and how large and how often empty they are.

    Args:
        predictions: Of test.
        members: bool [N, C].
        options: As for `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        ``coverage``, ``coverage/<class>``, ``size`` (mean number of classes), ``single`` and ``empty`` (shares).
    """
    everyone = np.ones(len(members), bool)
    shares = dict.fromkeys(("coverage", "single", "empty"), everyone)
    shares |= {f"coverage/{name}": predictions.labels == c for c, name in enumerate(predictions.classes)}
    return estimates(partial(_values, predictions, members), predictions.groups, shares, **options)


def _quantile(scores: npt.NDArray[np.float64], coverage: float) -> float:
    """Of n scores the ⌈(n + 1) · coverage⌉-th smallest; 1, which lets all classes in, if there are not so many."""
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else 1.0


def _values(predictions: Predictions, members: Sets, weights: Floats) -> dict[str, Floats]:
    covered = members[np.arange(len(members)), predictions.labels].astype(float)
    size, total = members.sum(axis=1), weights.sum(axis=1)
    values = {
        "coverage": ratio(weights @ covered, total),
        "size": ratio(weights @ size.astype(float), total),
        "single": ratio(weights @ (size == 1).astype(float), total),
        "empty": ratio(weights @ (size == 0).astype(float), total),
    }
    for c, name in enumerate(predictions.classes):
        of_class = (predictions.labels == c).astype(float)
        values[f"coverage/{name}"] = ratio(weights @ (covered * of_class), weights @ of_class)
    return values
