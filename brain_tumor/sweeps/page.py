"""``sweep.html``: the jobs of a sweep, on one page that needs no network."""

from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.evaluation.report.page import write_page
from brain_tumor.sweeps.importance import METHOD, importance
from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.table import SHOWN, best_job, best_setting, choices, summarise, swept_keys

_FEWEST_LINES = 2
"""Finished jobs that parallel coordinates need."""
_UNFINISHED = {
    "running": "The sweep is still running: this page shows its current state.",
    "stopped": "This sweep was stopped before it finished.",
}
"""Status of a sweep → note on the page."""


def write_sweep_page(sweep_dir: Path, plan: Plan, rows: pd.DataFrame) -> None:
    """Write the page in one step.

    Args:
        sweep_dir: Directory of the sweep, which gets the page.
        plan: Plan of the sweep.
        rows: Jobs, as `brain_tumor.sweeps.table.read_rows` returns them.

    Raises:
        OSError: The folder cannot be written.
    """
    settings = summarise(rows, plan)
    found = importance(rows, plan)
    counts = rows["status"].value_counts().to_dict()
    write_page(
        sweep_dir / "sweep.html",
        "sweep.html.j2",
        title=f"Sweep of {len(rows)} jobs: {sweep_dir.name}",
        notes=[_UNFINISHED[plan.status]] if plan.status in _UNFINISHED else [],
        command=plan.command,
        plan=plan,
        finished=counts.get("finished", 0),
        unfinished=", ".join(f"{n} {status}" for status, n in counts.items() if status != "finished"),
        best=best_job(rows, plan),
        best_setting=best_setting(rows, settings, plan),
        choices=choices(plan),
        shown=[name for name in SHOWN if name in rows and rows[name].notna().any()],
        settings=_records(settings),
        replicated=len(settings) < len(rows),
        keys=swept_keys(plan),
        rows=[{**row, "page": _report(sweep_dir, row["run_dir"])} for row in _records(rows)],
        lines=_lines(rows, plan),
        importance=found,
        method=METHOD,
        bars=_bars(found.shares),
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _report(sweep_dir: Path, run_dir: str) -> str | None:
    """Link to the report of a job, where it lies below this page."""
    beside = not Path(run_dir).is_absolute() and (sweep_dir / run_dir / "report.html").is_file()
    return f"{run_dir}/report.html" if beside else None


def _lines(rows: pd.DataFrame, plan: Plan) -> str | None:
    from brain_tumor.sweeps.figures import parallel_coordinates

    done = rows[(rows["status"] == "finished") & rows["monitored"].notna()]
    keys = [key for key in swept_keys(plan) if len(set(done[key])) > 1]
    if len(done) < _FEWEST_LINES or not keys:
        return None
    best = best_job(rows, plan)
    return parallel_coordinates(done, keys, str(plan.metric), best.row["number"] if best else None)


def _bars(shares: dict[str, float]) -> str | None:
    from brain_tumor.sweeps.figures import bars

    return bars(shares) if shares else None
