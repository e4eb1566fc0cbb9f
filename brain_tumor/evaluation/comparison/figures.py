"""The forest plot of a comparison."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_tumor.evaluation.comparison.wording import show_difference, show_estimate
from brain_tumor.evaluation.figures import COLOURS

_LONGEST = 34
"""Letters of a name."""
_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5}


def forest(document: dict[str, Any]) -> Figure:
    """Each candidate's value, and its difference to the best, with their intervals; best first.

    A difference whose interval leaves out 0 has a filled mark.

    Args:
        document: Of `brain_tumor.evaluation.comparison.ranking.comparison_document`.
    """
    candidates = document["candidates"]
    figure = Figure(figsize=(9.5, 1.3 + 0.42 * len(candidates)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(candidates))
    for place, candidate in zip(places, candidates, strict=True):
        _mark(left, place, candidate, show_estimate(candidate), filled=True)
        difference = candidate["difference"]
        if difference is not None:
            _mark(right, place, difference, show_difference(difference).partition(" ")[0], filled=_apart(difference))
        elif place == 0:
            right.text(0, place, "  best", va="center", fontsize=9, color="0.3")
    right.axvline(0, color="0.4", linewidth=1, linestyle=":")
    left.set_yticks(places, [_short(candidate["name"]) for candidate in candidates])
    left.set_ylim(len(candidates) - 0.4, -0.75)
    level = f"{100 * document['level']:g} % interval"
    left.set_xlabel(f"{document['metric']}, {level}")
    right.set_xlabel("Difference to the best (filled: interval without 0)")
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)
        axes.margins(x=0.12)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return figure


def _mark(axes: Axes, place: int, found: dict[str, Any], text: str, *, filled: bool) -> None:
    if found["value"] is None or found["ci_low"] is None:
        return
    axes.plot([found["ci_low"], found["ci_high"]], [place, place], color=COLOURS[0], linewidth=2)
    face = COLOURS[0] if filled else "white"
    axes.plot(found["value"], place, "s", color=COLOURS[0], markerfacecolor=face, markersize=7, zorder=3)
    axes.annotate(
        text, (found["value"], place), (0, 7), textcoords="offset points", ha="center", fontsize=8, bbox=_PAPER
    )


def _apart(difference: dict[str, Any]) -> bool:
    low, high = difference["ci_low"], difference["ci_high"]
    return low is not None and (low > 0 or high < 0)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
