"""``sweep.html``: one self-contained page with plots, readable without a network."""

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from brain_tumor import CAUTION
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.sweeps.console import format_number, format_setting
from brain_tumor.sweeps.importance import METHOD, key_importance
from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.table import SCORES, best_job, best_setting, setting_keys, summarise_settings, swept_keys

_FEWEST_LINES = 2


def write_sweep_page(sweep_dir: Path, plan: Plan, rows: pd.DataFrame) -> None:
    """Write the page in one step.

    Args:
        sweep_dir: Directory of the sweep, which gets the page.
        plan: Plan of the sweep.
        rows: Jobs, as `brain_tumor.sweeps.table.read_rows` returns them.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.sweeps", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    settings = summarise_settings(rows, plan)
    found = key_importance(rows, plan)
    page = environment.get_template("page.html.j2").render(
        title=f"Sweep of {len(rows)} jobs: {sweep_dir.name}",
        caution=CAUTION,
        plan=plan,
        number=format_number,
        value=format_setting,
        counts=rows["status"].value_counts().to_dict(),
        best=best_job(rows, plan),
        best_setting=best_setting(rows, settings, plan),
        choices=setting_keys(plan),
        shown=[name for name in SCORES if name in rows and rows[name].notna().any()],
        settings=_records(settings),
        replicated=len(settings) < len(rows),
        keys=swept_keys(plan),
        rows=[{**row, "page": _report(sweep_dir, row["run_dir"])} for row in _records(rows)],
        lines=_lines(rows, plan),
        importance=found,
        method=METHOD,
        bars=_bars(found.shares),
    )
    with published_file(sweep_dir / "sweep.html") as draft:
        draft.write_text(page, encoding="utf-8")


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _report(sweep_dir: Path, run_dir: str) -> str | None:
    """Link to a job's own page, which lies beside this one."""
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
    from brain_tumor.sweeps.figures import importance_bars

    return importance_bars(shares) if shares else None
