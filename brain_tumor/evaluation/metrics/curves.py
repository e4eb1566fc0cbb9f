"""Points of the ROC, precision–recall and reliability curves that figures and dashboards draw."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from brain_tumor.evaluation.metrics.probability import equal_width_bins
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats

ANY_TUMOUR = "any tumour"
"""Name of the curve of detection (tumour against healthy)."""


@dataclass(frozen=True)
class OneVsRest:
    """A binary problem: one class against all others, or tumour against healthy."""

    name: str
    positive: Flags
    """bool [N]."""
    score: Floats
    """float64 [N], higher for positives."""

    @property
    def drawable(self) -> bool:
        """Whether there are both positives and negatives."""
        return bool(self.positive.any() and not self.positive.all())


def one_vs_rest(predictions: Predictions) -> list[OneVsRest]:
    """Build one problem per class, and one for detection if there are more than two classes."""
    problems = [
        OneVsRest(name, predictions.labels == c, predictions.probabilities[:, c])
        for c, name in enumerate(predictions.classes)
    ]
    if predictions.healthy is not None and len(predictions.classes) > 2:
        score = 1 - predictions.probabilities[:, predictions.healthy]
        problems.append(OneVsRest(ANY_TUMOUR, predictions.labels != predictions.healthy, score))
    return problems


def roc_points(problem: OneVsRest) -> tuple[Floats, Floats]:
    """Compute 1 − specificity and sensitivity at every threshold, both ascending."""
    x, y, _ = roc_curve(problem.positive, problem.score)
    return x, y


def pr_points(problem: OneVsRest) -> tuple[Floats, Floats]:
    """Compute sensitivity (descending) and precision at every threshold."""
    precision, recall, _ = precision_recall_curve(problem.positive, problem.score)
    return recall, precision


def points_table(
    predictions: Predictions, points: Callable[[OneVsRest], tuple[Floats, Floats]], limit: int = 200
) -> pd.DataFrame:
    """Collect the curves of all `one_vs_rest` problems in one table.

    Args:
        predictions: Predictions table.
        points: `roc_points` or `pr_points`.
        limit: Largest number of points per curve; longer curves are thinned evenly and keep both ends.

    Returns:
        Columns ``class, x, y``.
    """
    curves = []
    for problem in one_vs_rest(predictions):
        if problem.drawable:
            x, y = points(problem)
            kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), limit)).round().astype(int))
            curves.append(pd.DataFrame({"class": problem.name, "x": x[kept], "y": y[kept]}))
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=["class", "x", "y"])


def reliability_points(predictions: Predictions) -> pd.DataFrame:
    """Compute mean confidence and accuracy of the predicted class in the bins of the ECE; empty bins are left out.

    Returns:
        Columns ``confidence, accuracy`` (means, in [0, 1]) and ``images``, by ascending confidence.
    """
    confidence = predictions.probabilities.max(axis=1)
    correct = predictions.predicted == predictions.labels
    bins = equal_width_bins(confidence)
    table = pd.DataFrame({"bin": bins, "confidence": confidence, "accuracy": correct.astype(float)}).groupby("bin")
    return table.mean().assign(images=table.size()).reset_index(drop=True)
