"""Figures of robustness: scores over severity, and examples of the corruptions."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from brain_tumor.evaluation.report.names import in_sentence, short_name
from brain_tumor.evaluation.report.plots import COLOURS
from brain_tumor.evaluation.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt, draw_of

_COLUMNS = 4
_DRAWN = {
    "f1_macro": (COLOURS[0], "-", "o"),
    "detection/auroc": (COLOURS[1], "--", "s"),
}


def robustness_curves(document: dict[str, Any]) -> Figure:
    """Plot scores over severity, one panel per corruption.

    Thin lines are the scores of the clean images; a ring marks the lowest score of all.

    Args:
        document: Results of `brain_tumor.evaluation.robustness.sweep.robustness`.
    """
    names, worst = list(document["corruptions"]), document["worst"]
    lines = -(-(len(names) + 1) // _COLUMNS)
    figure = Figure(figsize=(9.6, 2.1 * lines + 0.3), layout="constrained")
    grid = figure.subplots(lines, _COLUMNS, sharex=True, sharey=True).ravel()
    for axes, name in zip(grid, names, strict=False):
        _draw(axes, document, name)
    place = grid[names.index(worst["corruption"])]
    score = worst["scores"]["f1_macro"]
    place.plot(worst["severity"], score, "o", markersize=13, fillstyle="none", color="black", markeredgewidth=1.6)
    handles, labels = grid[0].get_legend_handles_labels()
    for axes in grid[len(names) :]:
        axes.axis("off")
    for axes in grid[len(names) - _COLUMNS : len(names)]:
        axes.set_xlabel("Severity", fontsize=9)
        axes.tick_params(labelbottom=True)
    grid[len(names)].legend(handles, labels, loc="upper left", fontsize=9, frameon=False)
    summary = (
        f"Mean corruption score\n(macro-F1) {document['mean_corruption_score']['f1_macro']:.3f};"
        f" clean {document['clean']['f1_macro']:.3f}\nWorst (ring): {worst['corruption']},\n"
        f"severity {worst['severity']}: {score:.3f}\nn = {document['images']}"
    )
    grid[len(names)].text(0.02, 0.02, summary, transform=grid[len(names)].transAxes, fontsize=9, va="bottom")
    return figure


def corruption_examples(image: npt.NDArray[np.uint8], seed: int = 0) -> Figure:
    """Draw one image uint8 [S, S] under every corruption: one row each, severity 0 to 5 from left to right."""
    columns = (0, *SEVERITIES)
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.01, hspace=0, wspace=0)
    figure = Figure(figsize=(1.2 * len(columns) + 1.2, 1.2 * len(CORRUPTIONS) + 0.3), layout=layout)
    grid = figure.subplots(len(CORRUPTIONS), len(columns))
    for line, name in zip(grid, CORRUPTIONS, strict=True):
        for axes, severity in zip(line, columns, strict=True):
            axes.imshow(corrupt(name, image, severity, draw_of(name, seed, 0)), cmap="gray", vmin=0, vmax=255)
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
    for axes, severity in zip(grid[0], columns, strict=True):
        axes.set_title("clean" if severity == 0 else f"severity {severity}", fontsize=9)
    return figure


def _draw(axes: Axes, document: dict[str, Any], name: str) -> None:
    by_metric = document["corruptions"][name]["scores"]
    for metric, (colour, style, marker) in _DRAWN.items():
        if metric in by_metric:
            clean = document["clean"][metric]
            values = [np.nan if value is None else value for value in (clean, *by_metric[metric])]
            axes.axhline(values[0], color=colour, linewidth=0.7, alpha=0.6)
            label = in_sentence(short_name(metric))
            axes.plot(
                range(len(values)), values, label=label, color=colour, linestyle=style, marker=marker, markersize=4
            )
    axes.set_title(name, fontsize=10)
    axes.set_ylim(-0.03, 1.06)
    axes.set_xticks((0, *SEVERITIES))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
