"""Scans and foreign pictures along one axis: what passes the gate lies left of its line."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from brain_tumor.evaluation.figures import COLOURS

Floats = npt.NDArray[np.float64]
_MARKERS = "^sDvPX*<"
_TICKS = (-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100, 200)
_SCANS, _FOREIGN = COLOURS[0], COLOURS[1]


def gate_figure(scans: Floats, foreign: Mapping[str, Floats], seed: int = 0) -> Figure:
    """One row for the scans and one a foreign set, each picture a point, with what share the gate turns away.

    Args:
        scans: Foreignness [N].
        foreign: Name of a set → foreignness of its pictures.
        seed: Of the points' heights, which mean nothing.
    """
    rows = {"scans": scans, **foreign}
    figure = Figure(figsize=(7.2, 1.2 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    rng = np.random.default_rng(seed)
    for height, ((name, scores), marker) in enumerate(zip(rows.items(), cycle("o" + _MARKERS), strict=False)):
        colour = _SCANS if name == "scans" else _FOREIGN
        heights = height + rng.uniform(-0.28, 0.28, len(scores))
        axes.plot(scores, heights, marker, color=colour, alpha=0.35, markersize=3.5, markeredgewidth=0)
        axes.vlines(np.median(scores), height - 0.36, height + 0.36, color="black", linewidth=1.6)
        axes.annotate(
            f"{(scores > 0).mean():.1%}", (1.02, height), xycoords=("axes fraction", "data"), va="center", fontsize=9
        )
    axes.annotate("turned away", (1.02, -0.75), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    axes.axvline(0, color="black", linestyle="--", linewidth=1.2)
    axes.set_xscale("symlog", linthresh=2)
    axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.set_xlim(*_limits(np.concatenate(list(rows.values()))))
    axes.set_yticks(range(len(rows)), [f"{name} (n = {len(scores)})" for name, scores in rows.items()])
    axes.set_ylim(len(rows) - 0.4, -1.1)
    axes.set_xlabel("Foreignness (dashed: the gate; right of it is turned away; short lines: medians)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_title("Scans and foreign pictures", fontsize=11)
    return figure


def _limits(scores: Floats) -> tuple[float, float]:
    """With some room at both ends."""
    low, high = min(scores.min(), -1.0), max(scores.max(), 1.0)
    return 1.2 * low, 1.2 * high
