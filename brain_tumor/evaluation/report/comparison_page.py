"""``compare.html``, its forest plot, and ``change_record.md``: a comparison for readers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_tumor.evaluation.report.format import (
    differing_parts,
    format_difference,
    format_interval,
    format_level,
    format_mean,
)
from brain_tumor.evaluation.report.inline_figures import inline_figure
from brain_tumor.evaluation.report.names import SPLITS, in_sentence, metric_name
from brain_tumor.evaluation.report.page import write_page
from brain_tumor.evaluation.report.plots import COLOURS

_LONGEST_NAME = 34
"""Characters of a candidate's name that the plot shows."""
_TEXT_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5}


def write_comparison_page(
    path: Path, document: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], *, command: str
) -> None:
    """Write the page in one step.

    Args:
        path: File to write.
        document: Content of ``compare.json``.
        changes: ``changes`` of ``change_record.json``; empty without a champion.
        command: Command line that made the comparison.

    Raises:
        OSError: The folder cannot be written.
    """
    count = len(document["candidates"])
    short = differing_parts([candidate["name"] for candidate in document["candidates"]])
    write_page(
        path,
        "compare.html.j2",
        title=f"{count} candidates compared" if count > 1 else document["candidates"][0]["name"],
        headline=_headline(document, short),
        split=_split(document),
        short=short,
        document=document,
        changes=changes,
        forest=inline_figure(forest_plot(document), "Forest plot: metric of each candidate and difference to the best"),
        notes=document["notes"],
        command=command,
    )


def _headline(document: Mapping[str, Any], short: Mapping[str, str]) -> str:
    """Say in one sentence which candidate is best, and how certain that is."""
    best, *others = document["candidates"]
    metric = in_sentence(metric_name(document["metric"]))
    value = f"{format_mean(best)} {format_interval(best)}".rstrip()
    sentence = f"{short[best['name']]} reaches {metric} {value} on {document['n']['images']} {_split(document)} images"
    if not others:
        return f"{sentence}."
    alpha = 1 - document["level"]
    clear = sum(each["difference"]["p_holm"] < alpha for each in others if _has_p(each["difference"]))
    return f"{sentence}, the best of {len(others) + 1}; significantly better than {clear} (p < {alpha:.2g}, Holm)."


def _split(document: Mapping[str, Any]) -> str:
    return SPLITS[document.get("eval_split", "test")]


def _has_p(difference: Mapping[str, Any] | None) -> bool:
    return difference is not None and difference["p_holm"] is not None


def write_change_record(
    path: Path,
    document: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Mapping[str, str]],
) -> None:
    """Write the change record, in Markdown, in one step.

    Args:
        path: File to write.
        document: Content of ``compare.json``.
        changes: ``changes`` of ``change_record.json``.
        facts: Run → name → value: commit, data, seed and so on, as far as they are known.

    Raises:
        OSError: The folder cannot be written.
    """
    runs = {candidate["name"]: candidate["runs"] for candidate in document["candidates"]}
    write_page(path, "change_record.md.j2", document=document, changes=changes, runs=runs, facts=facts)


def forest_plot(document: Mapping[str, Any]) -> Figure:
    """Plot the metric of each candidate, and its difference to the best, with their intervals; best first.

    A difference whose interval excludes 0 has a filled marker.

    Args:
        document: Content of ``compare.json``.
    """
    candidates = document["candidates"]
    short = differing_parts([candidate["name"] for candidate in candidates])
    figure = Figure(figsize=(9.5, 1.3 + 0.42 * len(candidates)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    heights = range(len(candidates))
    for height, candidate in zip(heights, candidates, strict=True):
        _draw_interval(left, height, candidate, format_mean(candidate), filled=True)
        difference = candidate["difference"]
        if difference is not None:
            text = format_difference(difference).partition(" ")[0]
            _draw_interval(right, height, difference, text, filled=_excludes_zero(difference))
        elif height == 0:
            right.text(0, height, "  best", va="center", fontsize=9, color="0.3")
    right.axvline(0, color="0.4", linewidth=1, linestyle=":")
    left.set_yticks(heights, [_shortened(short[candidate["name"]]) for candidate in candidates])
    left.set_ylim(len(candidates) - 0.4, -0.75)
    left.set_xlabel(
        f"{metric_name(document['metric'])} on {_split(document)}, {format_level(document['level'])} interval"
    )
    right.set_xlabel("Difference to the best (filled: interval excludes 0)")
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)
        axes.margins(x=0.12)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return figure


def _draw_interval(axes: Axes, height: int, estimate: Mapping[str, Any], text: str, *, filled: bool) -> None:
    if estimate["value"] is None or estimate["ci_low"] is None:
        return
    axes.plot([estimate["ci_low"], estimate["ci_high"]], [height, height], color=COLOURS[0], linewidth=2)
    face = COLOURS[0] if filled else "white"
    axes.plot(estimate["value"], height, "s", color=COLOURS[0], markerfacecolor=face, markersize=7, zorder=3)
    axes.annotate(
        text, (estimate["value"], height), (0, 7), textcoords="offset points", ha="center", fontsize=8, bbox=_TEXT_BOX
    )


def _excludes_zero(difference: Mapping[str, Any]) -> bool:
    low, high = difference["ci_low"], difference["ci_high"]
    return low is not None and (low > 0 or high < 0)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
