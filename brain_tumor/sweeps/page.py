"""``sweep.html``: the jobs of a sweep, on one page that needs no network."""

from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.evaluation.report.page import write_page
from brain_tumor.sweeps.importance import METHOD, key_importance
from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.table import (
    BASELINE,
    SCORES,
    baseline_warning,
    below_baseline,
    best_job,
    best_setting,
    setting_keys,
    summarise_settings,
    swept_keys,
)

_MIN_LINES = 2
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
    settings = summarise_settings(rows, plan)
    importance = key_importance(rows, plan)
    counts = rows["status"].value_counts().to_dict()
    write_page(
        sweep_dir / "sweep.html",
        "sweep.html.j2",
        title=f"Sweep of {len(rows)} jobs: {sweep_dir.name}",
        notes=[note for note in (_UNFINISHED.get(plan.status), baseline_warning(rows)) if note],
        command=plan.command,
        plan=plan,
        finished=counts.get("finished", 0),
        unfinished=", ".join(f"{n} {status}" for status, n in counts.items() if status != "finished"),
        best=best_job(rows, plan),
        best_setting=best_setting(rows, settings, plan),
        choices=setting_keys(plan),
        shown=[name for name in SCORES if name in rows and rows[name].notna().any()],
        settings=_records(settings),
        replicated=len(settings) < len(rows),
        keys=swept_keys(plan),
        rows=[{**row, "page": _report_link(sweep_dir, row["run_dir"])} for row in _records(rows)],
        baseline=BASELINE if BASELINE in rows else None,
        below=below_baseline(rows),
        lines=_lines(rows, plan),
        importance=importance,
        method=METHOD,
        bars=_bars(importance.shares),
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _report_link(sweep_dir: Path, run_dir: str) -> str | None:
    """Return the link to the report of a job, or None if it has none below the sweep's directory."""
    exists = not Path(run_dir).is_absolute() and (sweep_dir / run_dir / "report.html").is_file()
    return f"{run_dir}/report.html" if exists else None


def _lines(rows: pd.DataFrame, plan: Plan) -> str | None:
    from brain_tumor.sweeps.figures import parallel_coordinates

    finished = rows[(rows["status"] == "finished") & rows["monitored"].notna()]
    keys = [key for key in swept_keys(plan) if len(set(finished[key])) > 1]
    if len(finished) < _MIN_LINES or not keys:
        return None
    best = best_job(rows, plan)
    return parallel_coordinates(finished, keys, str(plan.metric), best.row["number"] if best else None)


def _bars(shares: dict[str, float]) -> str | None:
    from brain_tumor.sweeps.figures import importance_bars

    return importance_bars(shares) if shares else None
