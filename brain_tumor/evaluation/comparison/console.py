"""A comparison in the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from brain_tumor import CAUTION
from brain_tumor.evaluation.comparison.wording import (
    show_difference,
    show_estimate,
    show_interval,
    show_p,
    show_share,
)


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
            f"{show_estimate(candidate)}\n{show_interval(candidate)}",
            show_difference(difference).replace(" [", "\n["),
            show_p(difference["p_holm"]) if difference else "–",
            show_share(candidate["best_share"]),
        )
    return table


def gates_table(changes: Sequence[dict[str, Any]]) -> Table:
    """Each gate of each candidate.

    Args:
        changes: Of `brain_tumor.evaluation.comparison.gates.changes`.
    """
    table = Table(title=f"Against the champion {escape(changes[0]['champion'])}", title_justify="left")
    for name in ("candidate", "gate", "rule", "found", ""):
        table.add_column(name, overflow="fold")
    for change in changes:
        for number, gate in enumerate(change["gates"]):
            name = escape(change["candidate"]) if number == 0 else ""
            verdict = "pass" if gate["passed"] else "[red]FAIL[/red]"
            table.add_row(name, gate["name"], gate["rule"], escape(gate["found"]), verdict)
    return table


def _replicates(candidate: dict[str, Any]) -> str:
    counts = {"seeds": candidate["seeds"], "folds": candidate["folds"]}
    shown = " × ".join(f"{count} {name}" for name, count in counts.items() if count > 1)
    return f"\n[dim]{shown}[/dim]" if shown else ""
