"""Test images with saliency maps: examples of each class, and the most confident errors."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_tumor.evaluation.explain.overlay import overlay
from brain_tumor.evaluation.explain.saliency import SaliencyMaps
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, GreyImage, Rows

ErrorRecord = dict[str, Any]
"""``sample_id, label, prediction, probability`` (of the prediction), ``group``, and ``nearest``: a list of
``{"sample_id", "label", "similarity"}``, empty if the training images are not available."""
MASK_COLOUR = "#56B4E9"
MARKED_COLOUR = "#E69F00"
"""Colours of the two outlines on an image."""
_TILE = 1.35  # inches


def example_rows(predictions: Predictions, per_class: int = 3, seed: int = 0) -> Rows:
    """Draw the row numbers of at most ``per_class`` random images of each class, in the order of the classes."""
    shuffled = np.random.default_rng(seed).permutation(len(predictions.labels))
    by_class = [shuffled[predictions.labels[shuffled] == c][:per_class] for c in range(len(predictions.classes))]
    return np.concatenate(by_class)


@dataclass(frozen=True)
class Examples:
    """Some test images, the maps over them and the true outlines."""

    predictions: Predictions
    """Predictions of all test images."""
    rows: Rows
    """Row numbers of the K examples in ``predictions``, int64 [K]."""
    images: GreyImage
    """Images of the examples, uint8 [K, S, S]."""
    maps: SaliencyMaps
    """Localizer's maps, or saliency maps of the predicted classes, float [K, S, S] in [0, 1]."""
    masks: Flags | None = None
    """Tumour masks, bool [K, S, S]; empty for images without a mask."""
    marked: Flags | None = None
    """Pixels that a localizer marks, bool [K, S, S]."""


def examples_figure(examples: Examples) -> Figure:
    """Draw one line per class, with two tiles per example: the image, and the image under its map.

    The outline of a mask is dashed, that of what a localizer marks is solid.
    """
    predictions, rows, images = examples.predictions, examples.rows, examples.images
    maps, masks, marked = examples.maps, examples.masks, examples.marked
    labels = predictions.labels[rows]
    present = np.unique(labels)
    columns = int(np.bincount(labels).max())
    figure, axes = _tiles(len(present), 2 * columns, text=0.75)
    for label, line in zip(present, axes, strict=True):
        line[0].text(0, 0.5, predictions.classes[label], fontsize=9, va="center", transform=line[0].transAxes)
        for column, example in enumerate(np.flatnonzero(labels == label)):
            mask = None if masks is None else masks[example]
            probabilities = predictions.probabilities[rows[example]]
            predicted = int(probabilities.argmax())
            mark = "" if predicted == label else "✗ "
            caption = f"{mark}{predictions.classes[predicted]} ({probabilities[predicted]:.2f})"
            _draw(line[1 + 2 * column], images[example], "", mask)
            tile = line[2 + 2 * column]
            _draw(tile, overlay(images[example], maps[example]), caption, mask)
            if marked is not None:
                _outline(tile, marked[example], MARKED_COLOUR, "-")
    return figure


def error_rows(predictions: Predictions, limit: int = 8) -> Rows:
    """Return the row numbers of at most ``limit`` wrong predictions, the most confident first."""
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    confidence = predictions.probabilities.max(axis=1)[wrong]
    return wrong[np.argsort(-confidence, kind="stable")][:limit].astype(np.int64)


def most_confident_errors(predictions: Predictions, limit: int = 32) -> pd.DataFrame:
    """List wrong predictions by descending confidence.

    Returns:
        At most ``limit`` rows of ``sample_id, label, prediction, probability`` (of the prediction) and ``group``.
    """
    rows, classes = error_rows(predictions, limit), np.array(predictions.classes, dtype=object)
    return pd.DataFrame(
        {
            "sample_id": predictions.frame["sample_id"].to_numpy()[rows],
            "label": classes[predictions.labels[rows]],
            "prediction": classes[predictions.predicted[rows]],
            "probability": predictions.probabilities.max(axis=1)[rows],
            "group": predictions.frame["group"].to_numpy()[rows] if "group" in predictions.frame else "",
        }
    )


def error_records(predictions: Predictions, limit: int = 8) -> list[ErrorRecord]:
    """Convert `most_confident_errors` to JSON; patients appear only in ``sample_id`` and ``group``."""
    rows = most_confident_errors(predictions, limit).to_dict("records")
    return [{**{str(key): value for key, value in row.items()}, "nearest": []} for row in rows]


def with_nearest(
    errors: Sequence[ErrorRecord], samples: pd.DataFrame, neighbours: Rows, similarity: npt.NDArray[np.float32]
) -> list[ErrorRecord]:
    """Add the most similar training images to each error.

    Args:
        errors: K errors.
        samples: Samples table.
        neighbours: Row numbers in ``samples`` of the n most similar images, int64 [K, n], see
            `brain_tumor.data.baseline.neighbours`.
        similarity: Their similarities, float [K, n].
    """
    names, labels = samples["sample_id"].to_numpy(), samples["label"].to_numpy()
    return [
        error
        | {
            "nearest": [
                {"sample_id": names[row], "label": labels[row], "similarity": round(float(value), 4)}
                for row, value in zip(rows, values, strict=True)
            ]
        }
        for error, rows, values in zip(errors, neighbours, similarity, strict=True)
    ]


def errors_figure(
    errors: Sequence[ErrorRecord], images: GreyImage, maps: SaliencyMaps, nearest: GreyImage | None = None
) -> Figure | None:
    """Draw one line per error: its description, the image, its saliency map, and the most similar training images.

    Args:
        errors: K errors; without any there is no figure.
        images: Images of the errors, uint8 [K, S, S].
        maps: Saliency maps of the predicted classes, float [K, S, S] in [0, 1].
        nearest: Training images, uint8 [K, n, S, S], in the order of ``nearest`` in each error.
    """
    if not errors:
        return None
    n = 0 if nearest is None else nearest.shape[1]
    figure, axes = _tiles(len(errors), 2 + n, text=1.5)
    for place, (error, line) in enumerate(zip(errors, axes, strict=True)):
        line[0].text(0, 0.5, _description(error), fontsize=8, va="center", transform=line[0].transAxes)
        _draw(line[1], images[place])
        _draw(line[2], overlay(images[place], maps[place]))
        if nearest is not None:
            for tile, neighbour, image in zip(line[3:], error["nearest"], nearest[place], strict=True):
                mark = "✓ " if neighbour["label"] == error["label"] else ""
                _draw(tile, image, f"{mark}{neighbour['label']} ({neighbour['similarity']:.2f})")
    titles = ("image", "evidence for\nthe prediction", *["nearest in training\n(✓: the true class)"] * n)
    for title, tile in zip(titles, axes[0, 1:], strict=True):
        tile.set_title(title, fontsize=8)
    return figure


def _description(error: ErrorRecord) -> str:
    lines = [
        *textwrap.wrap(str(error["sample_id"]), 30)[:3],
        f"true: {error['label']}",
        f"predicted: {error['prediction']}",
        f"confidence: {error['probability']:.1%}",
    ]
    group = str(error["group"])
    return "\n".join([*lines, *([f"group: {textwrap.shorten(group, 24, placeholder='…')}"] if group else [])])


def _tiles(lines: int, columns: int, text: float) -> tuple[Figure, npt.NDArray[Any]]:
    """Create a figure of square tiles without ticks, with a column for text on the left, ``text`` tiles wide.

    Returns:
        The figure, and its axes [lines, 1 + columns].
    """
    widths = [text] + [1.0] * columns
    figure = Figure(figsize=(_TILE * sum(widths), (_TILE + 0.25) * lines + 0.35), layout="constrained")
    axes = figure.subplots(lines, len(widths), squeeze=False, width_ratios=widths)
    for tile in axes.ravel():
        tile.set_xticks([])
        tile.set_yticks([])
        tile.set_frame_on(False)
    return figure, axes


def _draw(tile: Axes, image: GreyImage, caption: str = "", mask: Flags | None = None) -> None:
    """Draw a grey or RGB image, a caption below it, and the outline of a mask that is not empty."""
    tile.imshow(image, cmap="gray", vmin=0, vmax=255)
    tile.set_xlabel(caption, fontsize=7.5, labelpad=2)
    if mask is not None:
        _outline(tile, mask, MASK_COLOUR, "--")


def _outline(tile: Axes, region: Flags, colour: str, style: str) -> None:
    if region.any():
        tile.contour(region.astype(np.float64), levels=[0.5], colors=colour, linewidths=1.2, linestyles=style)
