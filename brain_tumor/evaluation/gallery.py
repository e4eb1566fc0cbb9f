"""The surest errors, each with what the network looked at and with the training pictures most like it."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from brain_tumor.evaluation.mistakes import surest_mistakes
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.saliency import Heat, overlay
from brain_tumor.evaluation.tiles import grid, show

Picture = npt.NDArray[np.uint8]
Failure = dict[str, Any]
"""``sample_id, label, prediction, probability`` (of the prediction), ``group``, and ``nearest``: a list of
``{"sample_id", "label", "similarity"}``, empty where training pictures are not at hand."""


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
    """Name the training pictures most like each error.

    Args:
        rows: K failures.
        samples: A samples table.
        found: int64 [K, n], rows of ``samples``, as `brain_tumor.data.neighbours.neighbours` finds them.
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
    rows: Sequence[Failure], pictures: Picture, heats: Heat, nearest: Picture | None = None
) -> Figure | None:
    """A line for each error: what it is, the picture, the evidence for the predicted class, the nearest in training.

    Args:
        rows: K failures; without any there is no figure.
        pictures: uint8 [K, S, S].
        heats: float [K, S, S] in [0, 1], of the evidence for the predicted class.
        nearest: uint8 [K, n, S, S], in the order of each row's ``nearest``.
    """
    if not rows:
        return None
    shown = 0 if nearest is None else nearest.shape[1]
    figure, axes = grid(len(rows), 2 + shown, text=1.5)
    for place, (row, line) in enumerate(zip(rows, axes, strict=True)):
        line[0].text(0, 0.5, _told(row), fontsize=8, va="center", transform=line[0].transAxes)
        show(line[1], pictures[place])
        show(line[2], overlay(pictures[place], heats[place]))
        for number in range(shown if nearest is not None else 0):
            near = row["nearest"][number]
            mark = "✓ " if near["label"] == row["label"] else ""
            assert nearest is not None  # noqa: S101, as something of it is shown
            show(line[3 + number], nearest[place, number], f"{mark}{near['label']} ({near['similarity']:.2f})")
    heads = ("picture", "evidence for\nthe prediction", *["nearest in training\n(✓: the true class)"] * shown)
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
