"""Metrics of subgroups: an average can hide a scanner, plane or source on which the model fails."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.evaluation.metrics import confusion
from brain_tumor.evaluation.metrics.estimates import estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats

MIN_IMAGES = 10
"""Smallest number of images of a subgroup; metrics of fewer images are not informative."""


def evaluate_subgroups(predictions: Predictions, attributes: pd.DataFrame, **options: Any) -> list[dict[str, Any]]:
    """Compute accuracy and macro-F1 of each subgroup.

    Args:
        predictions: Predictions of N images.
        attributes: N rows of text; images with the same value in a column form a subgroup, those with an empty value
            (unknown) none.
        options: Options of `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        One entry per subgroup of at least `MIN_IMAGES` images, of columns with two or more such subgroups:
        ``attribute, value, images, groups, accuracy, f1_macro``, and ``worst``: whether its accuracy is the lowest of
        the column.
    """
    entries: list[dict[str, Any]] = []
    for name in attributes.columns:
        column = attributes[name].astype(str)
        counts = column[column != ""].value_counts()
        values = sorted(counts[counts >= MIN_IMAGES].index)
        if len(values) > 1:
            metrics = [_evaluate(predictions.take((column == value).to_numpy()), **options) for value in values]
            lowest = min(subgroup["accuracy"]["value"] for subgroup in metrics)
            entries += [
                {"attribute": name, "value": value, **subgroup, "worst": subgroup["accuracy"]["value"] == lowest}
                for value, subgroup in zip(values, metrics, strict=True)
            ]
    return entries


def _evaluate(predictions: Predictions, **options: Any) -> dict[str, Any]:
    shares = {"accuracy": np.ones(len(predictions.labels), bool)}
    metrics = estimates(partial(_statistics, predictions), predictions.groups, shares, **options)
    return {"images": len(predictions.labels), "groups": int(predictions.groups.max()) + 1, **metrics}


def _statistics(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    matrix = confusion.confusion(predictions.labels, predictions.predicted, len(predictions.classes), weights)
    return {"accuracy": confusion.accuracy(matrix), "f1_macro": confusion.f1_macro(matrix)}
