"""The predictions table: one row per image, plain CSV; all of `evaluation` is a function of it.

Columns: ``sample_id, path, label, prediction, p_<class>…, group, source, plane, patient_id, series`` (unknown = empty),
and with an OOD detector ``rejected, ood_score``. A table of another framework needs ``sample_id``, ``label`` and the
probabilities.

Probabilities are as the network gives them (temperature 1); `brain_tumor.evaluation.calibration` calibrates them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from brain_tumor.data.labels import HEALTHY, normalise_label
from brain_tumor.data.samples import numbers, read_table
from brain_tumor.errors import DataError
from brain_tumor.types import Flags, Floats, Rows

_PROBABILITY = "p_"
_SUM_TOLERANCE = 1e-3
_SMALLEST = float(np.finfo(float).tiny)


@dataclass(frozen=True)
class Predictions:
    """A checked predictions table as arrays."""

    classes: tuple[str, ...]
    """C names, in the order of the probability columns."""
    labels: Rows
    """int64 [N], index into ``classes``."""
    probabilities: Floats
    """float64 [N, C], rows sum to 1."""
    groups: Rows
    """int64 [N], dense group numbers; an image without a group is a group of its own."""
    frame: pd.DataFrame
    """The table itself, N rows."""

    @cached_property
    def logits(self) -> Floats:
        """float64 [N, C] whose softmax are the probabilities: their logarithms, finite where a probability is 0."""
        return np.asarray(np.log(np.clip(self.probabilities, _SMALLEST, None)))

    @property
    def healthy(self) -> int | None:
        """Index of the healthy class, or None."""
        return self.classes.index(HEALTHY) if HEALTHY in self.classes else None

    @property
    def detection(self) -> Floats | None:
        """Detection score 1 − p(healthy class), float64 [N] in [0, 1]; None without a healthy class."""
        return None if self.healthy is None else 1 - self.probabilities[:, self.healthy]

    @property
    def predicted(self) -> Rows:
        """Index of the most probable class, int64 [N]."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def take(self, rows: Flags) -> "Predictions":
        """Return the images that bool [N] marks."""
        frame = self.frame[rows].reset_index(drop=True)
        return Predictions(self.classes, self.labels[rows], self.probabilities[rows], _dense(self.groups[rows]), frame)

    def with_probabilities(self, probabilities: Floats) -> "Predictions":
        """Return the same images with other probabilities float64 [N, C]; the table itself keeps its own."""
        return replace(self, probabilities=probabilities)

    @classmethod
    def from_arrays(cls, labels: Rows, probabilities: Floats, classes: Sequence[str], groups: Rows) -> "Predictions":
        """Build predictions from arrays, unchecked; their table has nothing but a ``sample_id``.

        Args:
            labels: int64 [N], index into ``classes``.
            probabilities: float64 [N, C], rows sum to 1.
            classes: C names.
            groups: int64 [N], any numbers.
        """
        frame = pd.DataFrame({"sample_id": np.arange(len(labels)).astype(str)})
        return cls(tuple(classes), labels, probabilities, _dense(groups), frame)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> "Predictions":
        """Check a table.

        Raises:
            DataError: Columns are missing, the table is empty, a sample_id is repeated, a label is not a class, or
                probabilities are not numbers from 0 that sum to 1.
        """
        columns = [name for name in frame.columns if name.startswith(_PROBABILITY)]
        missing = [name for name in ("sample_id", "label") if name not in frame.columns]
        if missing or len(columns) < 2:
            lack = ", ".join(missing) or "p_<class> for two classes at least"
            raise DataError(f"The predictions table has no column {lack}; expected sample_id, label, p_<class>….")
        if frame.empty:
            raise DataError("The predictions table has no rows; expected one per image.")
        classes = tuple(name.removeprefix(_PROBABILITY) for name in columns)
        probabilities = np.stack([numbers(frame[name]) for name in columns], axis=1)
        bad = ~np.isfinite(probabilities).all(axis=1) | (probabilities < 0).any(axis=1)
        bad |= np.abs(probabilities.sum(axis=1) - 1) > _SUM_TOLERANCE
        _refuse(frame, bad, "have probabilities that are not numbers from 0 that sum to 1")
        labels = pd.Index(classes).get_indexer(pd.Index(frame["label"]))
        _refuse(frame, labels < 0, f"have a label that is none of the classes {', '.join(classes)}")
        _refuse(
            frame,
            frame["sample_id"].duplicated().to_numpy(),
            "repeat a sample_id, but each image may have one row only",
        )
        return cls(classes, labels.astype(np.int64), probabilities, _groups(frame), frame)


def predictions_frame(samples: pd.DataFrame, classes: Sequence[str], probabilities: Floats) -> pd.DataFrame:
    """Build a predictions table.

    Args:
        samples: Rows of a samples table, one per predicted image.
        classes: C names.
        probabilities: float64 [N, C], in the order of ``samples`` and ``classes``.
    """
    table = samples[["sample_id", "path", "label"]].reset_index(drop=True)
    table["prediction"] = np.array(classes, dtype=object)[probabilities.argmax(axis=1)]
    for column, name in enumerate(classes):
        table[_PROBABILITY + name] = probabilities[:, column]
    given = samples.reindex(columns=["group", "source", "plane", "patient_id", "series"], fill_value="")
    return table.join(given.reset_index(drop=True))


def read_predictions(path: str | Path) -> Predictions:
    """Read and check a predictions table; class names are normalised (``healthy`` → ``no_tumor``).

    Raises:
        DataError: As `Predictions.from_frame`, or the file is not a CSV file. The message names the file.
    """
    frame = read_table(path)
    columns = {
        name: _PROBABILITY + normalise_label(name[2:])
        for name in frame.columns.astype(str)
        if name.startswith(_PROBABILITY)
    }
    if len(set(columns.values())) == len(columns) and "label" in frame:
        frame = frame.rename(columns=columns).assign(label=frame["label"].map(normalise_label))
    try:
        return Predictions.from_frame(frame)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _refuse(frame: pd.DataFrame, bad: Flags, what: str) -> None:
    if bad.any():
        first = frame["sample_id"].to_numpy()[bad][0]
        raise DataError(f"{int(bad.sum())} rows of the predictions table {what}, first {first!r}.")


def _dense(groups: Rows) -> Rows:
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _groups(frame: pd.DataFrame) -> Rows:
    given = frame["group"].astype(str) if "group" in frame.columns else pd.Series("", index=frame.index)
    own = "sample " + frame["sample_id"].astype(str)
    return pd.factorize(("group " + given).where(given != "", own))[0].astype(np.int64)


@dataclass(frozen=True)
class ByPatient:
    """Predictions per patient."""

    predictions: Predictions
    """One row per patient, who is also the group."""
    mixed: int
    """Number of patients left out because their images show several kinds of tumour."""


def by_patient(predictions: Predictions) -> ByPatient | None:
    """Aggregate the images of each group: mean probabilities, and the tumour that its images show.

    A patient with tumour and healthy slices has the tumour; one with several kinds of tumour has no single label and
    is left out.

    Returns:
        None if no group has two images, or no patient is left.
    """
    groups = int(predictions.groups.max()) + 1
    if groups == len(predictions.labels):
        return None
    images = np.zeros((groups, len(predictions.classes)))
    total = np.zeros_like(images)
    np.add.at(images, predictions.groups, np.eye(len(predictions.classes))[predictions.labels])
    np.add.at(total, predictions.groups, predictions.probabilities)
    present = images > 0
    if predictions.healthy is not None:
        present[:, predictions.healthy] &= present.sum(axis=1) == 1
    single = present.sum(axis=1) == 1
    if not single.any():
        return None
    names = np.array(predictions.classes, dtype=object)
    samples = pd.DataFrame({"sample_id": np.flatnonzero(single).astype(str), "path": "", "group": ""})
    samples = samples.assign(source="", plane="", label=names[present[single].argmax(axis=1)])
    mean = total[single] / images[single].sum(axis=1, keepdims=True)
    table = predictions_frame(samples, predictions.classes, mean)
    return ByPatient(Predictions.from_frame(table), int((~single).sum()))


def with_ood_scores(table: pd.DataFrame, ood_score: Floats | None) -> pd.DataFrame:
    """Add the columns ``rejected`` and ``ood_score`` to a predictions table, after all others.

    Args:
        table: Predictions table of N images.
        ood_score: OOD score float64 [N], above 0 is rejected; None or NaN where there is no detector.
    """
    scores = pd.Series(np.nan if ood_score is None else ood_score, index=table.index, dtype=float)
    return table.assign(rejected=(scores > 0).astype("boolean").mask(scores.isna()), ood_score=scores)


def ood_scores_of(table: pd.DataFrame) -> Floats | None:
    """Read the OOD score float64 [N] from a predictions table; None without one for every image."""
    column = next((name for name in ("ood_score", "foreignness") if name in table), None)  # the latter: version 0.1
    if column is None:
        return None
    scores = numbers(table[column])
    return scores if np.isfinite(scores).all() else None
