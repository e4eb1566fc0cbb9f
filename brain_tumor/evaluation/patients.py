"""One row a patient instead of one an image."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brain_tumor.evaluation.predictions import Predictions, predictions_frame


@dataclass(frozen=True)
class ByPatient:
    """A predictions table of patients."""

    predictions: Predictions
    """Each patient is a row, and a group."""
    mixed: int
    """Patients that were left out, as their images show several kinds of tumour."""


def by_patient(predictions: Predictions) -> ByPatient | None:
    """Aggregate the images of each group: mean probabilities, and the tumour that its images show.

    A patient with tumour and healthy slices has the tumour; one with several kinds of tumour has no single truth and
    is left out.

    Returns:
        None if no group has two images, or none is left.
    """
    groups = int(predictions.groups.max()) + 1
    if groups == len(predictions.labels):
        return None
    one_hot = np.eye(len(predictions.classes))[predictions.labels]
    shown = np.zeros((groups, len(predictions.classes)))
    total = np.zeros_like(shown)
    np.add.at(shown, predictions.groups, one_hot)
    np.add.at(total, predictions.groups, predictions.probabilities)
    shows = shown > 0
    if predictions.healthy is not None:
        shows[:, predictions.healthy] &= shows.sum(axis=1) == 1
    single = shows.sum(axis=1) == 1
    if not single.any():
        return None
    names = np.array(predictions.classes, dtype=object)
    samples = pd.DataFrame({"sample_id": np.flatnonzero(single).astype(str), "path": "", "group": ""})
    samples = samples.assign(source="", plane="", label=names[shows[single].argmax(axis=1)])
    mean = total[single] / shown[single].sum(axis=1, keepdims=True)
    table = predictions_frame(samples, predictions.classes, mean)
    return ByPatient(Predictions.from_frame(table), int((~single).sum()))
