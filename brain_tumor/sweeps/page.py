"""``sweep.html``: the jobs of a sweep, on one page that needs no network."""

from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.evaluation.report.format import differing_parts, format_number, format_setting
from brain_tumor.evaluation.report.names import in_sentence, metric_name
from brain_tumor.evaluation.report.page import InlineFigure, write_page
from brain_tumor.sweeps.importance import METHOD, key_importance
from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.table import (
    BASELINE,
    SCORES,
    Best,
    assignments,
    baseline_warning,
    below_baseline,
    best_job,
    best_setting,
    setting_keys,
    summarise_settings,
    swept_keys,
    tuning_note,
    without_quotes,
)

_MIN_LINES = 2
"""Finished jobs that parallel coordinates need."""
_LISTED = 6
"""Values of a setting that are listed; of more, their number and range are told."""
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
    keys = [key for key in swept_keys(plan) if len(set(rows[key])) > 1]
    short = {key: differing_parts(rows[key].tolist()) for key in keys}
    keynames = _short_keys(keys)
    metric = in_sentence(metric_name(plan.metric)) if plan.metric else "monitored value"
    best = best_job(rows, plan)
    write_page(
        sweep_dir / "sweep.html",
        "sweep.html.j2",
        title=f"{sweep_dir.name}, {len(rows)} jobs",
        headline=_headline(best, metric, keynames, short, len(rows)),
        notes=[note for note in (_UNFINISHED.get(plan.status), baseline_warning(rows), tuning_note(plan)) if note],
        command=plan.command,
        plan=plan,
        metric=metric,
        finished=counts.get("finished", 0),
        unfinished=", ".join(f"{n} {status}" for status, n in counts.items() if status != "finished"),
        best=best,
        tuning=tuning_note(plan) is not None,
        best_setting=best_setting(rows, settings, plan),
        keys=keys,
        keynames=keynames,
        short=short,
        varied={key: _values(rows[key], short[key]) for key in keys},
        same=", ".join(_constant(plan)),
        choices=[key for key in setting_keys(plan) if key in keys],
        shown=[name for name in SCORES if name in rows and rows[name].notna().any()],
        settings=_records(settings),
        replicated=len(settings) < len(rows),
        rows=[{**row, "page": _report_link(sweep_dir, row["run_dir"])} for row in _records(rows)],
        baseline=BASELINE if BASELINE in rows else None,
        below=below_baseline(rows),
        lines=_lines(rows, plan, short, keynames, metric),
        importance=importance,
        method=METHOD,
        bars=_bars(importance.shares),
    )


def _headline(
    best: Best | None, metric: str, keynames: dict[str, str], short: dict[str, dict[str, str]], jobs: int
) -> str:
    """Say in one sentence which job is best."""
    if best is None:
        return f"None of the {jobs} jobs has finished."
    setting = ", ".join(
        f"{name} {format_setting(short[key][best.row[key]])}" for key, name in keynames.items() if best.row[key]
    )
    told = f", with {setting}" if setting else ""
    return f"Job #{best.row['number']} is the best of {jobs}: {metric} {format_number(best.score)}{told}."


def _short_keys(keys: list[str]) -> dict[str, str]:
    """Name each key by its last part, where that is enough: ``optimizer.lr`` → ``lr``, but ``model.name``."""
    last = [key.rpartition(".")[2] for key in keys]
    enough = [name != "name" and last.count(name) == 1 for name in last]
    return {key: name if alone else key for key, name, alone in zip(keys, last, enough, strict=True)}


def _values(column: pd.Series, short: dict[str, str]) -> str:
    """Tell the values of a key in a few words."""
    texts = [short[value] or "not set" for value in dict.fromkeys(column)]
    if len(texts) <= _LISTED:
        return ", ".join(map(format_setting, texts))
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        return f"{len(texts)} values from {numbers.min():.4g} to {numbers.max():.4g}"
    return f"{len(texts)} values: {', '.join(texts[:_LISTED])}, …"


def _constant(plan: Plan) -> list[str]:
    """List the overrides that all jobs share."""
    settings = [assignments(job.overrides) for job in plan.jobs]
    first = settings[0] if settings else {}
    return [
        without_quotes(f"{key}={value}")
        for key, value in first.items()
        if all(each.get(key) == value for each in settings)
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _report_link(sweep_dir: Path, run_dir: str) -> str | None:
    """Return the link to the report of a job, or None if it has none below the sweep's directory."""
    exists = not Path(run_dir).is_absolute() and (sweep_dir / run_dir / "report.html").is_file()
    return f"{run_dir}/report.html" if exists else None


def _lines(
    rows: pd.DataFrame, plan: Plan, short: dict[str, dict[str, str]], keynames: dict[str, str], metric: str
) -> InlineFigure | None:
    from brain_tumor.evaluation.report.inline_figures import inline_figure
    from brain_tumor.sweeps.figures import parallel_coordinates

    finished = rows[(rows["status"] == "finished") & rows["monitored"].notna()]
    keys = [key for key in keynames if len(set(finished[key])) > 1]
    if len(finished) < _MIN_LINES or not keys:
        return None
    best = best_job(rows, plan)
    drawn = finished.assign(**{key: finished[key].map(short[key]) for key in keys}).rename(columns=keynames)
    names = [keynames[key] for key in keys]
    figure = parallel_coordinates(drawn, names, metric, best.row["number"] if best else None)
    return inline_figure(figure, "Parallel coordinates of the finished jobs")


def _bars(shares: dict[str, float]) -> InlineFigure | None:
    from brain_tumor.evaluation.report.inline_figures import inline_figure
    from brain_tumor.sweeps.figures import importance_bars

    return inline_figure(importance_bars(shares), "Importance of the swept keys") if shares else None
