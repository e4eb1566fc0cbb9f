"""The jobs of a sweep as a table, jobs that differ only in seed or fold as one setting, and the best of each."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.errors import RunDirError
from brain_tumor.evaluation.report.headlines import DETECTION, HEADLINES, LOCALIZATION
from brain_tumor.run_dir.atomic import read_json
from brain_tumor.run_dir.record import read_record
from brain_tumor.sweeps.jobs import REPLICATES, Job, Plan

RESULTS = tuple(f"{split}/{metric}" for split in ("val", "test") for metric in (*HEADLINES, *DETECTION, *LOCALIZATION))
"""Columns with values of ``results.json``."""

BASELINE = "test/baseline f1_macro"
"""Column with the macro-F1 of the 1-NN baseline on the test split."""

MONITORED = ("ci_low", "ci_high", "baseline")
"""Columns about the monitored metric on its own split, from ``results.json``: its interval, and the 1-NN baseline."""

SCORES = ("monitored", "test/f1_macro", "test/balanced_accuracy", "test/auroc")
"""Columns of which settings have mean and standard deviation."""


def read_rows(sweep_dir: Path, plan: Plan) -> pd.DataFrame:
    """Read the outcomes of the jobs from their run directories.

    Returns:
        One row per job, in the order of the plan. Columns: ``number``, ``status`` (waiting, running, finished, failed,
        pruned, preempted), ``reason``, one per swept key (text, as on the command line), ``monitored`` (best value of
        the monitored validation metric), those of `MONITORED`, `RESULTS` and `BASELINE` that any job has, ``seconds``
        and ``run_dir``.
    """
    keys = swept_keys(plan)
    rows = [_row(sweep_dir, job, keys, plan.metric) for job in plan.jobs]
    columns = ["number", "status", "reason", *keys, "monitored", *MONITORED, *RESULTS, BASELINE, "seconds", "run_dir"]
    table = pd.DataFrame(rows, columns=columns)
    return table.drop(columns=[name for name in (*MONITORED, *RESULTS, BASELINE) if table[name].isna().all()])


def swept_keys(plan: Plan) -> list[str]:
    """Return the swept keys, and then other keys whose values differ between jobs."""
    settings = [assignments(job.overrides) for job in plan.jobs]
    keys = dict.fromkeys(key for setting in settings for key in setting)
    differing = [key for key in keys if len({setting.get(key) for setting in settings}) > 1]
    return list(dict.fromkeys([*plan.swept, *differing]))


def setting_keys(plan: Plan) -> list[str]:
    """Return the swept keys that define a setting: all but those of replicates."""
    return [key for key in swept_keys(plan) if key not in REPLICATES]


def assignments(overrides: Sequence[str]) -> dict[str, str]:
    """Split overrides into keys, without ``+`` or ``~``, and values: ``+key=value`` → ``{key: value}``."""
    return {key.lstrip("+~"): value for key, _, value in (override.partition("=") for override in overrides)}


def _row(sweep_dir: Path, job: Job, keys: list[str], metric: str | None) -> dict[str, Any]:
    run_dir = sweep_dir / job.folder
    record = read_record(run_dir)
    finished = record.get("status") == "finished"
    setting = assignments(job.overrides)
    return {
        "number": job.number,
        "status": record.get("status", "waiting"),
        "reason": "" if finished else str(record.get("reason", "")).strip().partition("\n")[0],
        **{key: setting.get(key, "") for key in keys},
        "monitored": record.get("training", {}).get("best"),
        **(_results(run_dir, metric) if finished else {}),
        "seconds": _seconds(record),
        "run_dir": job.folder,
    }


def _seconds(record: dict[str, Any]) -> float | None:
    """Return the seconds of a run: the sum over its stages if it finished, else the time from start to end."""
    if record.get("status") != "finished" and {"started", "ended"} <= set(record):
        return (datetime.fromisoformat(record["ended"]) - datetime.fromisoformat(record["started"])).total_seconds()
    seconds = record.get("seconds", {})
    return round(sum(seconds.values()), 1) if seconds else None


def _results(run_dir: Path, metric: str | None) -> dict[str, float | None]:
    path = run_dir / "results.json"
    return _read_results(path, path.stat().st_mtime_ns, metric) if path.is_file() else {}


@lru_cache(maxsize=4096)
def _read_results(path: Path, _mtime_ns: int, metric: str | None) -> dict[str, float | None]:
    """Read the values of `RESULTS`, and those of `MONITORED` for a metric.

    They are cached while the file does not change, as the table is written after every job.
    """
    try:
        document = read_json(path)
        splits = {name: name.partition("/") for name in RESULTS}
        estimates = {name: document[split].get(metric) for name, (split, _, metric) in splits.items()}
    except (OSError, RunDirError, KeyError):
        return {}
    values = {name: estimate["value"] for name, estimate in estimates.items() if estimate is not None}
    baseline = document.get("baseline", {})
    split, _, name = (metric or "").partition("/")
    monitored = document.get(split, {}).get(name, {})
    return values | {
        "ci_low": monitored.get("ci_low"),
        "ci_high": monitored.get("ci_high"),
        "baseline": baseline.get(split, {}).get(name),
        BASELINE: baseline.get("test", {}).get("f1_macro"),
    }


def below_baseline(rows: pd.DataFrame) -> list[int]:
    """Return the numbers of the jobs whose macro-F1 on test does not exceed that of the 1-NN baseline."""
    if BASELINE not in rows or "test/f1_macro" not in rows:
        return []
    value, baseline = (pd.to_numeric(rows[name], errors="coerce") for name in ("test/f1_macro", BASELINE))
    numbers: list[int] = rows["number"][value <= baseline].tolist()
    return numbers


def baseline_warning(rows: pd.DataFrame) -> str | None:
    """Say which jobs do not beat the 1-NN baseline; None if all do."""
    jobs = below_baseline(rows)
    if not jobs:
        return None
    numbers = ", ".join(f"#{number}" for number in jobs[:10]) + (", …" if len(jobs) > 10 else "")
    return f"{len(jobs)} of {len(rows)} jobs do not beat the 1-NN baseline (macro-F1 on test): {numbers}."


def tuning_note(plan: Plan) -> str | None:
    """Say how to go on with a sweep that has left the test set out (``split.tuning=true``); None for others."""
    values = [assignments(job.overrides).get("split.tuning", "").lower() for job in plan.jobs]
    if not values or any(value != "true" for value in values):
        return None
    return (
        "These jobs left the test set out (split.tuning=true): what is called test is half of validation. Once you "
        "have chosen, run the best setting again without split.tuning=true, to see its test for the first time."
    )


@dataclass(frozen=True)
class Best:
    """The job or the setting with the best monitored validation value; the test results are not used to choose it."""

    score: float
    """Monitored value; of a setting, the mean over its jobs."""
    row: pd.Series
    """Row of the job in `read_rows`, or of the setting in `summarise_settings`."""
    command: str
    """Command line that runs the job, or all jobs of the setting, again."""

    @property
    def final_command(self) -> str:
        """The same with the test set, which ``split.tuning=true`` leaves out."""
        return re.sub(r" split\.tuning=true\b", "", self.command, flags=re.IGNORECASE)


def best_job(rows: pd.DataFrame, plan: Plan) -> Best | None:
    """Return the finished job with the best monitored value, or None if no job has finished."""
    finished = rows[(rows["status"] == "finished") & rows["monitored"].notna()]
    if finished.empty:
        return None
    scores = finished["monitored"].astype(float)
    row = finished.iloc[int(scores.argmin() if plan.mode == "min" else scores.argmax())]
    job = next(job for job in plan.jobs if job.number == row["number"])
    return Best(float(row["monitored"]), row, _command(plan, job.overrides))


def summarise_settings(rows: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Summarise the jobs of each setting, best mean of the monitored value first.

    Args:
        rows: Table from `read_rows`.
        plan: Plan of the sweep.

    Returns:
        One row per setting. Columns: those of `setting_keys`, ``jobs`` (planned), ``n`` (finished), and for each of
        `SCORES` the mean over the finished jobs as ``<name>`` and the standard deviation as ``<name> sd`` (divisor
        n − 1; undefined for n = 1).
    """
    keys = setting_keys(plan)
    scores = [name for name in SCORES if name in rows]
    groups = rows.groupby(keys, sort=False) if keys else [((), rows)]
    table = []
    for values, jobs in groups:
        finished = jobs[jobs["status"] == "finished"]
        row = {**dict(zip(keys, values, strict=True)), "jobs": len(jobs), "n": len(finished)}
        for name in scores:
            row[name] = finished[name].astype(float).mean()
            row[f"{name} sd"] = finished[name].astype(float).std()
        table.append(row)
    columns = [*keys, "jobs", "n", *(column for name in scores for column in (name, f"{name} sd"))]
    return pd.DataFrame(table, columns=columns).sort_values(
        "monitored", ascending=plan.mode == "min", na_position="last", kind="stable", ignore_index=True
    )


def best_setting(rows: pd.DataFrame, settings: pd.DataFrame, plan: Plan) -> Best | None:
    """Return the setting with the best mean among those with the most finished jobs; None without replicates.

    Args:
        rows: Table from `read_rows`.
        settings: Table from `summarise_settings`.
        plan: Plan of the sweep.
    """
    if rows.empty or settings["n"].max() < 2:
        return None
    row = settings[settings["n"] == settings["n"].max()].iloc[0]
    selected = rows
    for key in setting_keys(plan):
        selected = selected[selected[key] == row[key]]
    jobs = [job for job in plan.jobs if job.number in set(selected["number"])]
    replicate_keys = [key for key in swept_keys(plan) if key in REPLICATES]
    fixed = [text for text in jobs[0].overrides if not set(assignments([text])) & set(replicate_keys)]
    replicates = []
    for key in replicate_keys:
        values = dict.fromkeys(assignments(job.overrides)[key] for job in jobs)
        replicates.append(f"{key}={','.join(values)}")
    return Best(float(row["monitored"]), row, _command(plan, ["--multirun", *fixed, *replicates]))


def _command(plan: Plan, arguments: list[str]) -> str:
    """Return a command line for one run or, with ``--multirun``, for a plain grid, even if the sweep was a search."""
    arguments = [argument for argument in arguments if not argument.startswith("resume=")]
    searched = any(argument.startswith("hparams_search=") for argument in arguments)
    if "--multirun" in arguments:
        arguments = [*arguments, "hydra/sweeper=grid"] if searched else arguments
    else:
        arguments = [argument for argument in arguments if not argument.startswith("launcher=")]
        arguments = [*arguments, "hydra.mode=RUN"] if searched else arguments
    own = ["--config-dir", plan.config_dir] if plan.config_dir else []
    return shlex.join(["brain-tumor", plan.verb, *own, *map(without_quotes, arguments)])


def without_quotes(override: str) -> str:
    """Leave out the quotes around a path, which the command line does not need: ``data.root="/scans"``."""
    return re.sub(r'^([^=]+=)"([\w./~-]*/[\w./~-]*)"$', r"\1\2", override)
