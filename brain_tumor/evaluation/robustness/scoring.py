"""Which images robustness is measured on, how variants of them are classified, and the metrics it is reported in."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from brain_tumor.data.images import Images
from brain_tumor.data.progress import progress
from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.metrics.bootstrap import group_weights
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats, GreyImage, Rows

Classify = Callable[[GreyImage], Floats]
"""Grey images uint8 [B, S, S] → probabilities float64 [B, C]."""
Variant = Callable[[GreyImage, int], GreyImage]
"""A grey image uint8 [S, S] and its row → the image after a change, of the same shape."""
CHUNK = 64
"""Number of images read at once; `Classify` gets one variant of each."""
METRICS = ("f1_macro", "accuracy", "detection/auroc")
"""Detection only where there is a healthy class."""


@dataclass(frozen=True)
class RobustnessTest:
    """A model and the labelled images that its robustness is measured on."""

    classify: Classify
    images: Images
    """uint8 [N, S, S], read a chunk at a time."""
    labels: Rows
    """int64 [N], index into ``classes``."""
    classes: Sequence[str]
    """C names."""
    groups: Rows
    """int64 [N]; the bootstrap resamples whole groups."""
    limit: int | None = 1000
    """Largest number of images, drawn by class; None takes all."""
    seed: int = 0
    """Seed of the draw, of the corruptions and of the bootstrap."""
    resamples: int = 1000
    """Number of bootstrap resamples."""

    @cached_property
    def rows(self) -> Rows:
        """Rows of the n images drawn, int64 [n]."""
        return stratified(self.labels, self.limit, self.seed)

    def probabilities(self, variants: Sequence[Variant], doing: str) -> Floats:
        """Classify variants of the images drawn, each of which is read once.

        Args:
            variants: V variants.
            doing: Text of the progress bar.

        Returns:
            float64 [V, n, C].
        """
        results = np.empty((len(variants), len(self.rows), len(self.classes)))
        for first in progress(range(0, len(self.rows), CHUNK), doing):
            rows = self.rows[first : first + CHUNK]
            images = self.images[rows]
            for variant, result in zip(variants, results, strict=True):
                changed = [variant(image, int(row)) for image, row in zip(images, rows, strict=True)]
                result[first : first + CHUNK] = self.classify(np.stack(changed))
        return results

    def predictions(self, probabilities: Floats) -> Predictions:
        """Return probabilities float64 [n, C] with the labels and groups of the images drawn."""
        return Predictions.from_arrays(self.labels[self.rows], probabilities, self.classes, self.groups[self.rows])


def stratified(labels: Rows, limit: int | None, seed: int = 0) -> Rows:
    """Draw rows of at most ``limit`` images so that classes keep their shares and none is lost, ascending.

    Args:
        labels: int64 [N].
        limit: Largest number of rows; None takes all.
        seed: Seed of the draw; with the same seed, a larger limit only adds rows.
    """
    if limit is None or len(labels) <= limit:
        return np.arange(len(labels))
    mixed = np.random.default_rng(seed).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = mixed[labels[mixed] == label]
        place[own] = np.arange(len(own)) / len(own)
    return np.sort(mixed[np.argsort(place[mixed], kind="stable")[:limit]])


def scores(predictions: Predictions) -> dict[str, float | None]:
    """Compute `METRICS`; None where undefined."""
    values = _values(predictions, np.ones((1, len(predictions.labels))))
    return {name: _defined(float(value[0])) for name, value in values.items()}


def difference(
    before: Predictions, after: Predictions, *, resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, float | None]]:
    """Estimate `METRICS` of ``after`` minus those of ``before``, with 95 % percentile intervals.

    Both use the same images in each bootstrap resample (paired), drawn by whole groups.

    Returns:
        Metric → ``{"value", "ci_low", "ci_high"}``; None where undefined.
    """
    point = _changes(before, after, np.ones((1, len(before.labels))))
    resampled = [_changes(before, after, weights) for weights in group_weights(before.groups, resamples, seed)]
    results = {}
    for name, value in point.items():
        changes = np.concatenate([chunk[name] for chunk in resampled])
        changes = changes[np.isfinite(changes)]
        low, high = np.quantile(changes, [0.025, 0.975]) if len(changes) else (math.nan, math.nan)
        results[name] = {"value": _defined(float(value[0])), "ci_low": _defined(low), "ci_high": _defined(high)}
    return results


def _changes(before: Predictions, after: Predictions, weights: Floats) -> dict[str, Floats]:
    old, new = _values(before, weights), _values(after, weights)
    return {name: new[name] - value for name, value in old.items()}


def _values(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    values = metric_values(predictions, weights)
    return {name: values[name] for name in METRICS if name in values}


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
