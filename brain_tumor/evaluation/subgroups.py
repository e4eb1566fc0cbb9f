"""The same metrics in parts of the data: a mean can hide a scanner, a plane or a source on which the model fails."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.evaluation.metrics import confusion
from brain_tumor.evaluation.metrics.estimates import estimates
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats

FEWEST = 10
"""Images of which a part must have that many, else its figures say nothing."""


def subgroups(predictions: Predictions, attributes: pd.DataFrame, **options: Any) -> list[dict[str, Any]]:
    """Accuracy and macro-F1 of each part.

    Args:
        predictions: N images.
        attributes: N rows of text; each column cuts the images into parts, empty cells (unknown) into none.
        options: As for `brain_tumor.evaluation.metrics.estimates.estimates`.

    Returns:
        One entry a part of at least `FEWEST` images, in columns that have two such parts: ``attribute, value, images,
        groups, accuracy, f1_macro``, and ``worst`` where the part's accuracy is the lowest of its column.
    """
    found: list[dict[str, Any]] = []
    for name in attributes.columns:
        column = attributes[name].astype(str)
        counts = column[column != ""].value_counts()
        values = sorted(counts[counts >= FEWEST].index)
        if len(values) > 1:
            parts = [_part(predictions.take((column == value).to_numpy()), **options) for value in values]
            lowest = min(part["accuracy"]["value"] for part in parts)
            found += [
                {"attribute": name, "value": value, **part, "worst": part["accuracy"]["value"] == lowest}
                for value, part in zip(values, parts, strict=True)
            ]
    return found


def _part(predictions: Predictions, **options: Any) -> dict[str, Any]:
    shares = {"accuracy": np.ones(len(predictions.labels), bool)}
    found = estimates(partial(_values, predictions), predictions.groups, shares, **options)
    return {"images": len(predictions.labels), "groups": int(predictions.groups.max()) + 1, **found}


def _values(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    matrix = confusion.confusion(predictions.labels, predictions.predicted, len(predictions.classes), weights)
    return {"accuracy": confusion.accuracy(matrix), "f1_macro": confusion.f1_macro(matrix)}
