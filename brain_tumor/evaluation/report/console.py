"""The tables that the terminal shows of an evaluation and of a comparison."""

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from rich import get_console
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from brain_tumor import CAUTION
from brain_tumor.evaluation.report.format import (
    UNDEFINED,
    format_difference,
    format_estimate,
    format_interval,
    format_level,
    format_mean,
    format_number,
    format_p,
    format_share,
)
from brain_tumor.evaluation.report.headlines import DETECTION, HEADLINES, LOCALIZATION, evaluated_splits

_LOG_WIDTH = 120
_INTERVAL_WIDTH = len(" [0.931, 0.970]")


def show(content: Table | str, style: str | None = None, *, soft_wrap: bool = False) -> None:
    """Print a table or a sentence, and write it to the log file of the run, where there is one.

    Args:
        content: Table, or a sentence without markup.
        style: Style of a sentence in the terminal.
        soft_wrap: Whether the terminal breaks the line, as for a path, which can then be copied whole.
    """
    text = io.StringIO()
    file = Console(file=text, width=_LOG_WIDTH)
    if isinstance(content, str):
        get_console().print(content, style=style, markup=False, highlight=False, soft_wrap=soft_wrap)
        file.print(content, markup=False, highlight=False, soft_wrap=True)
    else:
        get_console().print(content)
        file.print(content)
    record = logging.LogRecord(__name__, logging.INFO, __file__, 0, "%s", (text.getvalue().rstrip(),), None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


def results_table(results: Mapping[str, Any]) -> Table:
    """List the metrics of each split with 95 % intervals, and the 1-NN baseline below macro-F1 where there is one.

    Args:
        results: Content of ``results.json``.
    """
    splits, n = evaluated_splits(results), results["n"]
    groups = ", ".join(f"{n[split]['groups']} in {split}" for split in splits)
    table = Table(title=f"95 % intervals by group ({groups})", title_justify="left", caption=CAUTION)
    table.add_column("metric")
    for split in splits:
        table.add_column(f"{split} (n = {n[split]['images']})", justify="right")
    per_class = [f"f1/{name}" for name in n["test"]["per_class"]]
    for metric in (*HEADLINES, *DETECTION, *LOCALIZATION, *per_class):
        if metric in results["test"]:
            table.add_row(metric, *(format_estimate(results[split][metric]) for split in splits))
        if metric == HEADLINES[0] and "baseline" in results:
            scores = (format_number(results["baseline"][split]["f1_macro"]) for split in splits)
            table.add_row("  1-NN baseline", *(score + " " * _INTERVAL_WIDTH for score in scores), style="dim")
    return table


def ranking_table(document: Mapping[str, Any]) -> Table:
    """List the candidates of a comparison, best first.

    Args:
        document: Content of ``compare.json``.
    """
    n, level = document["n"], format_level(document["level"])
    split = f"{document['eval_split']}: " if "eval_split" in document else ""
    title = f"{split}{n['images']} images in {n['groups']} groups; {level} intervals by group"
    table = Table(title=title, title_justify="left", caption=CAUTION)
    table.add_column("#", justify="right")
    table.add_column("candidate", overflow="fold", min_width=len("candidate"))
    table.add_column(document["metric"], justify="right", no_wrap=True)
    has_baseline = any(candidate.get("baseline") is not None for candidate in document["candidates"])
    if has_baseline:
        table.add_column("1-NN", justify="right")
    table.add_column("to the best", justify="right", no_wrap=True)
    table.add_column("p\n(Holm)", justify="right")
    table.add_column("ranked\nfirst", justify="right")
    for candidate in document["candidates"]:
        difference = candidate["difference"]
        table.add_row(
            str(candidate["rank"]),
            escape(candidate["name"]) + _replicates(candidate),
            f"{format_mean(candidate)}\n{format_interval(candidate)}",
            *([format_number(candidate.get("baseline"))] if has_baseline else []),
            format_difference(difference).replace(" [", "\n["),
            format_p(difference["p_holm"]) if difference else UNDEFINED,
            format_share(candidate["best_share"]),
        )
    return table


def _replicates(candidate: Mapping[str, Any]) -> str:
    counts = {"seeds": candidate["seeds"], "folds": candidate["folds"]}
    shown = " × ".join(f"{count} {name}" for name, count in counts.items() if count > 1)
    return f"\n[dim]{shown}[/dim]" if shown else ""


def criteria_table(changes: Sequence[Mapping[str, Any]]) -> Table:
    """List each acceptance criterion of each candidate.

    Args:
        changes: ``changes`` of ``change_record.json``; at least one.
    """
    title = f"Acceptance criteria, against the champion {escape(changes[0]['champion'])}"
    table = Table(title=title, title_justify="left")
    for name in ("candidate", "criterion", "rule", "measured", ""):
        table.add_column(name, overflow="fold")
    for change in changes:
        for number, criterion in enumerate(change["criteria"]):
            name = escape(change["candidate"]) if number == 0 else ""
            verdict = "pass" if criterion["passed"] else "[red]FAIL[/red]"
            table.add_row(name, criterion["name"], criterion["rule"], escape(criterion["found"]), verdict)
    return table
