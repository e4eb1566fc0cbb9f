"""The plots of a sweep's page."""

import base64
import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from brain_tumor.types import Floats

_FAR = 8.0
"""Ratio of the largest to the smallest of positive values from which an axis is logarithmic."""

_MOST_MARKS = 6
_CLOSEST = 0.05
"""Height between labels that can both be read."""


def parallel_coordinates(rows: pd.DataFrame, keys: list[str], metric: str, best: int | None) -> str:
    """One line a finished job, across an axis a key to the monitored value, which colours it; the best is drawn thick.

    Args:
        rows: Finished jobs.
        keys: Swept ones.
        metric: Name of the monitored value.
        best: Number of the best job.

    Returns:
        PNG, base64.
    """
    figure = Figure(figsize=(max(7.0, 2.0 * (len(keys) + 1)), 4.2), layout="constrained")
    axes = figure.subplots()
    columns = [_heights(axes, x, rows[key]) for x, key in enumerate(keys)]
    columns.append(_heights(axes, len(keys), rows["monitored"]))
    lines, scores = np.stack(columns, axis=1), rows["monitored"].to_numpy(float)
    norm = mpl.colors.Normalize(scores.min(), scores.max() if scores.max() > scores.min() else scores.min() + 1)
    alpha = 0.9 if len(rows) < 30 else 0.5
    for line, score, number in zip(lines, scores, rows["number"], strict=True):
        thick = number == best
        colour = mpl.colormaps["viridis"](norm(score))
        axes.plot(
            line, color=colour, alpha=1 if thick else alpha, linewidth=3.5 if thick else 1.4, zorder=3 if thick else 2
        )
        if thick:
            axes.plot(line, color="#D55E00", linewidth=1.2, linestyle="--", zorder=4)
    axes.set_xlim(-0.35, len(keys) + 0.5)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([])
    axes.set_xticks(range(len(keys) + 1), [*keys, metric], fontsize=10)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(axis="x", length=0, pad=8)
    return _png(figure)


def bars(shares: dict[str, float]) -> str:
    """A horizontal bar a key; PNG, base64."""
    figure = Figure(figsize=(7.0, 0.9 + 0.42 * len(shares)), layout="constrained")
    axes = figure.subplots()
    axes.barh(list(shares), list(shares.values()), color="#0072B2")
    axes.invert_yaxis()
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_xlabel("R² lost without it")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return _png(figure)


def _heights(axes: Axes, x: int, column: pd.Series) -> Floats:
    """Draw the axis at ``x``; where each value stands on it, 0 to 1."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    heights, ticks = _named(column.astype(str)) if np.isnan(numbers).any() else _numbered(numbers)
    axes.axvline(x, color="0.55", linewidth=1, zorder=1)
    last = -1.0
    for text, height in sorted(ticks, key=lambda tick: tick[1]):
        if height - last < _CLOSEST:
            continue
        last = height
        short = text if len(text) <= 18 else f"…{text[-17:]}"
        axes.text(
            x + 0.03, height, short, fontsize=9, va="center", zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1},
        )  # fmt: skip
    return heights


def _named(column: pd.Series) -> tuple[Floats, list[tuple[str, float]]]:
    """Evenly spaced, in alphabetical order."""
    names = sorted(set(column))
    places = dict(zip(names, np.linspace(0, 1, len(names)) if len(names) > 1 else [0.5], strict=True))
    return np.array([places[name] for name in column]), list(places.items())


def _numbered(values: Floats) -> tuple[Floats, list[tuple[str, float]]]:
    """To scale, which is logarithmic where the values go far."""
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high / low >= _FAR
    marks = np.unique(values)
    if len(marks) > _MOST_MARKS:
        found = (LogLocator() if logarithmic else MaxNLocator(5)).tick_values(low, high)
        marks = np.array([mark for mark in found if low <= mark <= high])

    def place(numbers: Floats) -> Floats:
        if low == high:
            return np.full(len(numbers), 0.5)
        if logarithmic:
            return np.asarray(np.log(numbers / low) / np.log(high / low), np.float64)
        return (numbers - low) / (high - low)

    return place(values), [(f"{mark:.4g}", height) for mark, height in zip(marks, place(marks), strict=True)]


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return base64.b64encode(buffer.getvalue()).decode()
