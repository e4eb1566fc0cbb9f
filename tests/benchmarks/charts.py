"""Plots of what was measured, beside what is asked for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # parts that measure memory are not to carry matplotlib
    from matplotlib.axes import Axes


@contextmanager
def chart(path: Path, width: float, height: float, columns: int = 1) -> Iterator[list["Axes"]]:
    """Axes beside each other, inches; what is drawn on them becomes a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    yield list(figure.subplots(1, columns, squeeze=False)[0])
    figure.savefig(path, dpi=120)


@dataclass(frozen=True)
class Bar:
    """A median, how far single values lie around it, and what is asked for."""

    value: float
    low: float
    high: float
    asked: float | None = None


def bars(path: Path, unit: str, panels: Mapping[str, Mapping[str, Bar]]) -> None:
    """Draw each panel's bars below each other: title → label → bar."""
    most = max(map(len, panels.values()))
    with chart(path, 6 * len(panels), 1.3 + 0.42 * most, len(panels)) as columns:
        for axes, (title, rows) in zip(columns, panels.items(), strict=True):
            draw(axes, rows)
            axes.set(title=title, xlabel=unit, xlim=(0, None))


def draw(axes: "Axes", rows: Mapping[str, Bar]) -> None:
    """Draw bars below each other, the first on top: label → bar."""
    found, places = list(rows.values()), range(len(rows))
    values = [bar.value for bar in found]
    around = [[bar.value - bar.low for bar in found], [bar.high - bar.value for bar in found]]
    drawn = axes.barh(places, values, xerr=around, color="#7aa6c2", ecolor="0.35", capsize=3)
    axes.bar_label(drawn, [f"  {value:,.3g}" if value < 1000 else f"  {value:,.0f}" for value in values])
    asked = [(bar.asked, place) for place, bar in enumerate(found) if bar.asked is not None]
    if asked:
        limits, at = zip(*asked, strict=True)
        axes.plot(limits, at, "|", color="#c0392b", markersize=22, markeredgewidth=2, label="asked for")
        axes.legend(markerscale=0.5)
    axes.set_yticks(places, list(rows))
    axes.invert_yaxis()
    axes.margins(x=0.18)
