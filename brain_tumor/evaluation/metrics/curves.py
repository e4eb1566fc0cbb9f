"""The points of the curves that figures and dashboards draw."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from brain_tumor.evaluation.metrics.probability import equal_width
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags

Scores = npt.NDArray[np.float64]
TUMOUR = "any tumour"
"""Name of the side that stands for detection."""


@dataclass(frozen=True)
class Side:
    """One question with two answers: is it of this class? Is it a tumour?"""

    name: str
    positive: Flags
    """[N]"""
    score: Scores
    """[N], higher for positives."""

    @property
    def drawable(self) -> bool:
        """Are there positives and negatives?"""
        return bool(self.positive.any() and not self.positive.all())


def sides(predictions: Predictions) -> list[Side]:
    """Each class against the rest, and detection where it is another question than these."""
    found = [
        Side(name, predictions.labels == c, predictions.probabilities[:, c])
        for c, name in enumerate(predictions.classes)
    ]
    if predictions.healthy is not None and len(predictions.classes) > 2:
        score = 1 - predictions.probabilities[:, predictions.healthy]
        found.append(Side(TUMOUR, predictions.labels != predictions.healthy, score))
    return found


def roc_points(side: Side) -> tuple[Scores, Scores]:
    """1 − specificity and sensitivity at every threshold, both ascending."""
    x, y, _ = roc_curve(side.positive, side.score)
    return x, y


def pr_points(side: Side) -> tuple[Scores, Scores]:
    """Sensitivity (descending) and precision at every threshold."""
    precision, recall, _ = precision_recall_curve(side.positive, side.score)
    return recall, precision


def points_table(
    predictions: Predictions, points: Callable[[Side], tuple[Scores, Scores]], limit: int = 200
) -> pd.DataFrame:
    """Curves of all `sides` in one table, thinned evenly to ``limit`` points a curve; their ends are kept.

    Returns:
        Columns ``class, x, y``.
    """
    parts = []
    for side in sides(predictions):
        if side.drawable:
            x, y = points(side)
            kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), limit)).round().astype(int))
            parts.append(pd.DataFrame({"class": side.name, "x": x[kept], "y": y[kept]}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["class", "x", "y"])


def reliability_points(predictions: Predictions) -> pd.DataFrame:
    """Confidence of the top class against how often it is right, in the bins of the ECE; empty bins are left out.

    Returns:
        Columns ``confidence, accuracy`` (means, in [0, 1]) and ``images``, by ascending confidence.
    """
    confidence = predictions.probabilities.max(axis=1)
    right = predictions.predicted == predictions.labels
    bins = equal_width(confidence)
    table = pd.DataFrame({"bin": bins, "confidence": confidence, "accuracy": right.astype(float)}).groupby("bin")
    return table.mean().assign(images=table.size()).reset_index(drop=True)
