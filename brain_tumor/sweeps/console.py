"""The summary of a sweep in the terminal."""

from pathlib import Path

import pandas as pd
from rich import get_console
from rich.markup import escape
from rich.table import Table

from brain_tumor import CAUTION
from brain_tumor.evaluation.report.format import format_number, format_setting
from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.table import BASELINE, Best, baseline_warning, swept_keys, tuning_note

STYLES = {"failed": "red", "pruned": "dim", "waiting": "dim", "preempted": "yellow", "running": "yellow"}


def print_sweep(sweep_dir: Path, plan: Plan, rows: pd.DataFrame, best: Best | None) -> None:
    """Print the table of jobs, the reasons of those that did not finish, the best job, and the paths of the files."""
    console = get_console()
    console.print(_jobs_table(plan, rows))
    for _, row in rows[rows["reason"] != ""].iterrows():
        text = f"#{row['number']} {row['status']}: {row['reason']}"
        console.print(text, style=STYLES.get(row["status"]), markup=False, highlight=False)
    for note in filter(None, (baseline_warning(rows), tuning_note(plan))):
        console.print(f"Note: {note}", style="yellow", highlight=False, markup=False)
    if best is not None:
        console.print(f"Best job by {plan.metric} (validation): #{best.row['number']}", highlight=False, markup=False)
        console.print(f"  {best.command}", soft_wrap=True, highlight=False, markup=False)
        if tuning_note(plan):
            console.print("The same on the test set, once you have chosen:", highlight=False, markup=False)
            console.print(f"  {best.final_command}", soft_wrap=True, highlight=False, markup=False)
    for title, name in {"Page": "sweep.html", "Table": "sweep.csv", "Sweep": ""}.items():
        console.print(f"{title + ':':<9}{sweep_dir / name}", soft_wrap=True, highlight=False, markup=False)


def _jobs_table(plan: Plan, rows: pd.DataFrame) -> Table:
    """Make a table of number, status, swept values, monitored value, test macro-F1 and seconds, one row per job."""
    keys = swept_keys(plan)
    counts = ", ".join(f"{n} {status}" for status, n in rows["status"].value_counts().items())
    table = Table(title=f"{len(rows)} jobs: {counts}", title_justify="left", caption=CAUTION)
    table.add_column("#", justify="right")
    table.add_column("status")
    for key in keys:
        table.add_column(escape(key), overflow="fold")
    titles = {
        "monitored": f"best {plan.metric}",
        "test/f1_macro": "test/f1_macro",
        BASELINE: "1-NN",
        "seconds": "seconds",
    }
    columns = [name for name in titles if name in rows and rows[name].notna().any()]
    for name in columns:
        table.add_column(titles[name], justify="right")
    for _, row in rows.iterrows():
        numbers = [format_number(row[name], 1 if name == "seconds" else 3) for name in columns]
        values = [str(row["number"]), row["status"], *(escape(format_setting(row[key])) for key in keys), *numbers]
        table.add_row(*values, style=STYLES.get(row["status"]))
    return table
