"""What the network looks at: a few pictures of each class, drawn by chance, with their maps."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.saliency import Heat, overlay
from brain_tumor.evaluation.tiles import grid, show

Rows = npt.NDArray[np.int64]


def example_rows(predictions: Predictions, per_class: int = 3, seed: int = 0) -> Rows:
    """Rows of at most ``per_class`` images of each class, in the order of the classes; drawn, not picked."""
    mixed = np.random.default_rng(seed).permutation(len(predictions.labels))
    by_class = [mixed[predictions.labels[mixed] == label][:per_class] for label in range(len(predictions.classes))]
    return np.concatenate(by_class)


def examples_figure(
    predictions: Predictions,
    rows: Rows,
    pictures: npt.NDArray[np.uint8],
    heats: Heat,
    masks: npt.NDArray[np.bool_] | None = None,
) -> Figure:
    """A line for each class; each example twice: as it is, and under the map of its predicted class.

    Args:
        predictions: The whole table.
        rows: int64 [K], of the examples in it.
        pictures: uint8 [K, S, S].
        heats: float [K, S, S] in [0, 1], of the evidence for the predicted class.
        masks: bool [K, S, S], drawn as dashed outlines; empty where there is none.
    """
    labels = predictions.labels[rows]
    present = np.unique(labels)
    most = int(np.bincount(labels).max())
    figure, axes = grid(len(present), 2 * most, text=0.75)
    for label, line in zip(present, axes, strict=True):
        line[0].text(0, 0.5, predictions.classes[label], fontsize=9, va="center", transform=line[0].transAxes)
        for number, place in enumerate(np.flatnonzero(labels == label)):
            mask = None if masks is None else masks[place]
            probabilities = predictions.probabilities[rows[place]]
            found = int(probabilities.argmax())
            said = f"{predictions.classes[found]} ({probabilities[found]:.2f})"
            show(line[1 + 2 * number], pictures[place], "", mask)
            show(
                line[2 + 2 * number],
                overlay(pictures[place], heats[place]),
                f"{'' if found == label else '✗ '}{said}",
                mask,
            )
    return figure
