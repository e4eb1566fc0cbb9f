"""The plots of a sweep's page."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from brain_tumor.types import Floats

_LOG_RATIO = 8.0
"""Ratio of the largest to the smallest of positive values from which an axis is logarithmic."""

_MAX_VALUE_TICKS = 6
"""Largest number of different values that all have a tick of their own."""

_MIN_LABEL_GAP = 0.05
"""Smallest distance between two labels of an axis of height 1."""


def parallel_coordinates(rows: pd.DataFrame, keys: list[str], metric: str, best: int | None) -> Figure:
    """Draw one line per job across one axis per key to the monitored value, which gives its colour.

    Args:
        rows: Rows of finished jobs.
        keys: Swept keys.
        metric: Name of the monitored metric.
        best: Number of the best job, whose line is thick and dashed.
    """
    figure = Figure(figsize=(max(7.0, 1.7 * (len(keys) + 1)), 4.2), layout="constrained")
    axes = figure.subplots()
    columns = [_draw_axis(axes, x, rows[key]) for x, key in enumerate(keys)]
    columns.append(_draw_axis(axes, len(keys), rows["monitored"]))
    lines, scores = np.stack(columns, axis=1), rows["monitored"].to_numpy(float)
    norm = mpl.colors.Normalize(scores.min(), scores.max() if scores.max() > scores.min() else scores.min() + 1)
    alpha = 0.9 if len(rows) < 30 else 0.5
    for line, score, number in zip(lines, scores, rows["number"], strict=True):
        colour = mpl.colormaps["viridis"](0.3 + 0.55 * norm(score))  # visible on light and on dark ground
        if number == best:
            axes.plot(line, color=colour, alpha=1, linewidth=3.5, zorder=3)
            axes.plot(line, color="#D55E00", linewidth=1.2, linestyle="--", zorder=4)
        else:
            axes.plot(line, color=colour, alpha=alpha, linewidth=1.4, zorder=2)
    axes.set_xlim(-0.35, len(keys) + 0.5)
    axes.set_ylim(-0.06, 1.06)
    axes.set_yticks([])
    axes.set_xticks(range(len(keys) + 1), [*keys, metric], fontsize=10)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(axis="x", length=0, pad=8)
    return figure


def importance_bars(shares: dict[str, float]) -> Figure:
    """Draw one horizontal bar per key for its loss of R²."""
    figure = Figure(figsize=(6.0, 0.9 + 0.42 * len(shares)), layout="constrained")
    axes = figure.subplots()
    axes.barh(list(shares), list(shares.values()), color="#0072B2")
    axes.invert_yaxis()
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_xlabel("Loss of R² when shuffled")
    for name in ("top", "right"):
        axes.spines[name].set_visible(False)
    return figure


def _draw_axis(axes: Axes, x: int, column: pd.Series) -> Floats:
    """Draw the axis of a column at ``x``; return the height of each value on it, from 0 to 1."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    heights, ticks = _categories(column.astype(str)) if np.isnan(numbers).any() else _scale(numbers)
    axes.axvline(x, color="0.55", linewidth=1, zorder=1)
    last = -1.0
    for text, height in sorted(ticks, key=lambda tick: tick[1]):
        if height - last < _MIN_LABEL_GAP:
            continue
        last = height
        label = text if len(text) <= 18 else f"…{text[-17:]}"
        axes.text(
            x + 0.03, height, label, fontsize=9, va="center", zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1},
        )  # fmt: skip
    return heights


def _categories(column: pd.Series) -> tuple[Floats, list[tuple[str, float]]]:
    """Space the different values evenly, in alphabetical order; return the height of each value, and the ticks."""
    names = sorted(set(column))
    heights = dict(zip(names, np.linspace(0, 1, len(names)) if len(names) > 1 else [0.5], strict=True))
    return np.array([heights[name] for name in column]), list(heights.items())


def _scale(values: Floats) -> tuple[Floats, list[tuple[str, float]]]:
    """Scale numbers linearly or, over a wide range, logarithmically; return the height of each value, and the ticks."""
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high / low >= _LOG_RATIO
    ticks = np.unique(values)
    if len(ticks) > _MAX_VALUE_TICKS:
        located = (LogLocator() if logarithmic else MaxNLocator(5)).tick_values(low, high)
        ticks = np.array([tick for tick in located if low <= tick <= high])

    def heights(numbers: Floats) -> Floats:
        if low == high:
            return np.full(len(numbers), 0.5)
        if logarithmic:
            return np.asarray(np.log(numbers / low) / np.log(high / low), np.float64)
        return (numbers - low) / (high - low)

    return heights(values), [(f"{tick:.4g}", height) for tick, height in zip(ticks, heights(ticks), strict=True)]
