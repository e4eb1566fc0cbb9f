"""Images of the test beside saliency maps: examples of each class, and the most confident mistakes."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_tumor.evaluation.explain.saliency import Heat, overlay
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import GreyImage, Rows

OUTLINE = "#56B4E9"
_SIDE = 1.35  # inches


def grid(lines: int, columns: int, text: float = 0.0) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure of square tiles without ticks, with a column for text on the left, ``text`` tiles wide, if not 0.

    Returns:
        The figure, and its axes [lines, columns], or with the text's before them.
    """
    widths = ([text] if text else []) + [1.0] * columns
    figure = Figure(figsize=(_SIDE * sum(widths), (_SIDE + 0.25) * lines + 0.35), layout="constrained")
    axes = figure.subplots(lines, len(widths), squeeze=False, width_ratios=widths)
    for each in axes.ravel():
        each.set_xticks([])
        each.set_yticks([])
        each.set_frame_on(False)
    return figure, axes


def show(
    axes: Axes, image: npt.NDArray[np.uint8], caption: str = "", mask: npt.NDArray[np.bool_] | None = None
) -> None:
    """Draw a grey or coloured image, a caption below it, and the outline of a mask that is not empty."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    axes.set_xlabel(caption, fontsize=7.5, labelpad=2)
    if mask is not None and mask.any():
        axes.contour(mask.astype(np.float64), levels=[0.5], colors=OUTLINE, linewidths=1.2, linestyles="--")


def surest_mistakes(predictions: Predictions, limit: int = 32) -> pd.DataFrame:
    """Wrong predictions, the surest first.

    Returns:
        At most ``limit`` rows of ``sample_id, label, prediction, probability`` (of the prediction) and ``group``.
    """
    found = predictions.predicted
    table = pd.DataFrame(
        {
            "sample_id": predictions.frame["sample_id"].to_numpy(),
            "label": np.array(predictions.classes, dtype=object)[predictions.labels],
            "prediction": np.array(predictions.classes, dtype=object)[found],
            "probability": predictions.probabilities.max(axis=1),
            "group": predictions.frame["group"].to_numpy() if "group" in predictions.frame else "",
        }
    )
    wrong: pd.DataFrame = table[found != predictions.labels]
    return wrong.sort_values("probability", ascending=False, kind="stable", ignore_index=True).iloc[:limit]


def example_rows(predictions: Predictions, per_class: int = 3, seed: int = 0) -> Rows:
    """Rows of at most ``per_class`` images of each class, in the order of the classes; drawn, not picked."""
    mixed = np.random.default_rng(seed).permutation(len(predictions.labels))
    by_class = [mixed[predictions.labels[mixed] == label][:per_class] for label in range(len(predictions.classes))]
    return np.concatenate(by_class)


def examples_figure(
    predictions: Predictions,
    rows: Rows,
    images: npt.NDArray[np.uint8],
    heats: Heat,
    masks: npt.NDArray[np.bool_] | None = None,
) -> Figure:
    """A line for each class; each example twice: as it is, and under the map of its predicted class.

    Args:
        predictions: The whole table.
        rows: int64 [K], of the examples in it.
        images: uint8 [K, S, S].
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
            show(line[1 + 2 * number], images[place], "", mask)
            show(
                line[2 + 2 * number],
                overlay(images[place], heats[place]),
                f"{'' if found == label else '✗ '}{said}",
                mask,
            )
    return figure


Failure = dict[str, Any]
"""``sample_id, label, prediction, probability`` (of the prediction), ``group``, and ``nearest``: a list of
``{"sample_id", "label", "similarity"}``, empty where training images are not at hand."""


def failures(predictions: Predictions, limit: int = 8) -> list[Failure]:
    """The surest errors first, ready for JSON; nothing of a patient but what ``sample_id`` and ``group`` say."""
    rows = surest_mistakes(predictions, limit).to_dict("records")
    return [{**{str(key): value for key, value in row.items()}, "nearest": []} for row in rows]


def with_nearest(
    rows: Sequence[Failure],
    samples: pd.DataFrame,
    found: npt.NDArray[np.int64],
    similarity: npt.NDArray[np.float32],
) -> list[Failure]:
    """Name the training images most like each error.

    Args:
        rows: K failures.
        samples: A samples table.
        found: int64 [K, n], rows of ``samples``, as `brain_tumor.data.baseline.neighbours` finds them.
        similarity: float [K, n].
    """
    names, labels = samples["sample_id"].to_numpy(), samples["label"].to_numpy()
    return [
        row
        | {
            "nearest": [
                {"sample_id": names[place], "label": labels[place], "similarity": round(float(alike), 4)}
                for place, alike in zip(places, values, strict=True)
            ]
        }
        for row, places, values in zip(rows, found, similarity, strict=True)
    ]


def failures_figure(
    rows: Sequence[Failure], images: GreyImage, heats: Heat, nearest: GreyImage | None = None
) -> Figure | None:
    """A line for each error: what it is, the image, the evidence for the predicted class, the nearest in training.

    Args:
        rows: K failures; without any there is no figure.
        images: uint8 [K, S, S].
        heats: float [K, S, S] in [0, 1], of the evidence for the predicted class.
        nearest: uint8 [K, n, S, S], in the order of each row's ``nearest``.
    """
    if not rows:
        return None
    shown = 0 if nearest is None else nearest.shape[1]
    figure, axes = grid(len(rows), 2 + shown, text=1.5)
    for place, (row, line) in enumerate(zip(rows, axes, strict=True)):
        line[0].text(0, 0.5, _told(row), fontsize=8, va="center", transform=line[0].transAxes)
        show(line[1], images[place])
        show(line[2], overlay(images[place], heats[place]))
        for number in range(shown if nearest is not None else 0):
            near = row["nearest"][number]
            mark = "✓ " if near["label"] == row["label"] else ""
            assert nearest is not None  # noqa: S101, as something of it is shown
            show(line[3 + number], nearest[place, number], f"{mark}{near['label']} ({near['similarity']:.2f})")
    heads = ("image", "evidence for\nthe prediction", *["nearest in training\n(✓: the true class)"] * shown)
    for head, each in zip(heads, axes[0, 1:], strict=True):
        each.set_title(head, fontsize=8)
    return figure


def _told(row: Failure) -> str:
    lines = [
        *textwrap.wrap(str(row["sample_id"]), 30)[:3],
        f"true: {row['label']}",
        f"predicted: {row['prediction']}",
        f"confidence: {row['probability']:.1%}",
    ]
    group = str(row["group"])
    return "\n".join([*lines, *([f"group: {textwrap.shorten(group, 24, placeholder='…')}"] if group else [])])
