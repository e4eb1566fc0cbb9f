"""A comparison in the terminal, as a forest plot, and as ``compare.html``."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from brain_tumor import CAUTION
from brain_tumor.evaluation.report import format as formats
from brain_tumor.evaluation.report.format import (
    format_difference,
    format_interval,
    format_mean,
    format_p,
    format_share,
)
from brain_tumor.evaluation.report.plots import COLOURS
from brain_tumor.run_dir.atomic import published_file


def ranking_table(document: dict[str, Any]) -> Table:
    """Candidates, best first.

    Args:
        document: Of `brain_tumor.evaluation.comparison.ranking.comparison_document`.
    """
    n = document["n"]
    title = f"{n['images']} images in {n['groups']} groups; {100 * document['level']:g} % intervals by group"
    table = Table(title=title, title_justify="left", caption=CAUTION)
    table.add_column("#", justify="right")
    table.add_column("candidate", overflow="fold")
    table.add_column(document["metric"], justify="right")
    table.add_column("to the best", justify="right")
    table.add_column("p (Holm)", justify="right")
    table.add_column("best in", justify="right")
    for candidate in document["candidates"]:
        difference = candidate["difference"]
        table.add_row(
            str(candidate["rank"]),
            escape(candidate["name"]) + _replicates(candidate),
            f"{format_mean(candidate)}\n{format_interval(candidate)}",
            format_difference(difference).replace(" [", "\n["),
            format_p(difference["p_holm"]) if difference else "–",
            format_share(candidate["best_share"]),
        )
    return table


def criteria_table(changes: Sequence[dict[str, Any]]) -> Table:
    """Each criterion of each candidate.

    Args:
        changes: Of `brain_tumor.evaluation.comparison.acceptance.changes`.
    """
    table = Table(title=f"Against the champion {escape(changes[0]['champion'])}", title_justify="left")
    for name in ("candidate", "criterion", "rule", "found", ""):
        table.add_column(name, overflow="fold")
    for change in changes:
        for number, criterion in enumerate(change["criteria"]):
            name = escape(change["candidate"]) if number == 0 else ""
            verdict = "pass" if criterion["passed"] else "[red]FAIL[/red]"
            table.add_row(name, criterion["name"], criterion["rule"], escape(criterion["found"]), verdict)
    return table


def _replicates(candidate: dict[str, Any]) -> str:
    counts = {"seeds": candidate["seeds"], "folds": candidate["folds"]}
    shown = " × ".join(f"{count} {name}" for name, count in counts.items() if count > 1)
    return f"\n[dim]{shown}[/dim]" if shown else ""


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
        _mark(left, place, candidate, format_mean(candidate), filled=True)
        difference = candidate["difference"]
        if difference is not None:
            _mark(right, place, difference, format_difference(difference).partition(" ")[0], filled=_apart(difference))
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


def write_page(
    path: Path, *, document: dict[str, Any], changes: Sequence[dict[str, Any]], forest: Path, command: str
) -> None:
    """Write the page in one step.

    Args:
        path: Of the page.
        document: Of `brain_tumor.evaluation.comparison.ranking.comparison_document`.
        changes: Of `brain_tumor.evaluation.comparison.acceptance.changes`; empty without a champion.
        forest: PNG file, which becomes part of the page.
        command: That made the comparison.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    count = len(document["candidates"])
    page = environment.get_template("comparison/page.html.j2").render(
        title=f"{count} candidates compared" if count > 1 else document["candidates"][0]["name"],
        caution=CAUTION,
        document=document,
        changes=changes,
        forest=base64.b64encode(forest.read_bytes()).decode(),
        level=f"{100 * document['level']:g} %",
        command=command,
        show=formats,
    )
    with published_file(path) as draft:
        draft.write_text(page, encoding="utf-8")
