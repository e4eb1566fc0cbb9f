"""The jobs of a sweep as a table, and jobs that differ only in seed or fold as one setting: mean, spread, best."""

import json
import shlex
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.evaluation.report.headlines import DETECTION, HEADLINES
from brain_tumor.sweeps.jobs import REPLICATES, Job, Plan, read_record

RESULTS = tuple(f"{split}/{metric}" for split in ("val", "test") for metric in (*HEADLINES, *DETECTION))
"""Columns of results, where a run has them."""


def read_rows(sweep_dir: Path, plan: Plan) -> pd.DataFrame:
    """One row a job, in their order.

    Returns:
        Columns: ``number``, ``status`` (waiting, running, finished, failed, pruned, preempted), ``reason``, one for
        each swept key (text, as on the command line), ``monitored`` (best value of the monitored validation metric),
        those of `RESULTS` that any job has, ``seconds`` and ``run_dir``.
    """
    keys = swept_keys(plan)
    rows = [_row(sweep_dir, job, keys) for job in plan.jobs]
    columns = ["number", "status", "reason", *keys, "monitored", *RESULTS, "seconds", "run_dir"]
    table = pd.DataFrame(rows, columns=columns)
    return table.drop(columns=[name for name in RESULTS if table[name].isna().all()])


def swept_keys(plan: Plan) -> list[str]:
    """Keys that were swept, and others that not all jobs agree on."""
    values = [assignments(job.overrides) for job in plan.jobs]
    differing = [
        key for key in dict.fromkeys(key for job in values for key in job) if len({job.get(key) for job in values}) > 1
    ]
    return list(dict.fromkeys([*plan.swept, *differing]))


def assignments(overrides: list[str]) -> dict[str, str]:
    """``+key=value`` → ``{key: value}``."""
    return {key.lstrip("+~"): value for key, _, value in (override.partition("=") for override in overrides)}


def _row(sweep_dir: Path, job: Job, keys: list[str]) -> dict[str, Any]:
    run_dir = sweep_dir / job.folder
    record = read_record(run_dir)
    chosen = assignments(job.overrides)
    reason = str(record.get("reason", "")).strip().partition("\n")[0]
    return {
        "number": job.number,
        "status": record.get("status", "waiting"),
        "reason": reason if record.get("status") != "finished" else "",
        **{key: chosen.get(key, "") for key in keys},
        "monitored": record.get("training", {}).get("best"),
        **(_results(run_dir) if record.get("status") == "finished" else {}),
        "seconds": _seconds(record),
        "run_dir": job.folder,
    }


def _seconds(record: dict[str, Any]) -> float | None:
    """Of the stages that were done; of a run that ended within one, from its start to its end."""
    if record.get("status") != "finished" and {"started", "ended"} <= set(record):
        return (datetime.fromisoformat(record["ended"]) - datetime.fromisoformat(record["started"])).total_seconds()
    seconds = record.get("seconds", {})
    return round(sum(seconds.values()), 1) if seconds else None


def _results(run_dir: Path) -> dict[str, float | None]:
    path = run_dir / "results.json"
    return _read_results(path, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=4096)
def _read_results(path: Path, _changed: int) -> dict[str, float | None]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = {name: document[name.partition("/")[0]].get(name.partition("/")[2]) for name in RESULTS}
    except (OSError, ValueError, KeyError):
        return {}
    return {name: estimate["value"] for name, estimate in found.items() if estimate is not None}


SHOWN = ("monitored", "test/f1_macro", "test/balanced_accuracy", "test/auroc")


@dataclass(frozen=True)
class Best:
    """What the monitored validation metric prefers; the test has no say."""

    score: float
    row: pd.Series
    """The best job, or of the best setting the one row of `summarise`."""
    command: str
    """That runs it again."""


def choices(plan: Plan) -> list[str]:
    """Swept keys that make a setting."""
    return [key for key in swept_keys(plan) if key not in REPLICATES]


def summarise(rows: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One row a setting, best first.

    Args:
        rows: Of `read_rows`.
        plan: The sweep's.

    Returns:
        Columns: those of `choices`, ``jobs`` (planned), ``n`` (finished), and of `SHOWN` mean and standard deviation
        (n − 1; undefined of one) as ``<name>`` and ``<name> sd``.
    """
    keys = choices(plan)
    shown = [name for name in SHOWN if name in rows]
    parts = [(((),), rows)] if not keys else rows.groupby(keys, sort=False)
    table = []
    for chosen, part in parts:
        done = part[part["status"] == "finished"]
        spread = {f"{name} sd": done[name].astype(float).std() for name in shown}
        means = {name: done[name].astype(float).mean() for name in shown}
        table.append({**dict(zip(keys, chosen, strict=False)), "jobs": len(part), "n": len(done), **means, **spread})
    frame = pd.DataFrame(table, columns=[*keys, "jobs", "n", *(x for name in shown for x in (name, f"{name} sd"))])
    return frame.sort_values(
        "monitored", ascending=plan.mode == "min", na_position="last", kind="stable", ignore_index=True
    )


def best_job(rows: pd.DataFrame, plan: Plan) -> Best | None:
    """The finished job with the best monitored value."""
    done = rows[(rows["status"] == "finished") & rows["monitored"].notna()]
    if done.empty:
        return None
    scores = done["monitored"].astype(float)
    row = done.iloc[int(scores.argmin() if plan.mode == "min" else scores.argmax())]
    job = next(job for job in plan.jobs if job.number == row["number"])
    return Best(float(row["monitored"]), row, _command(plan, job.overrides))


def best_setting(rows: pd.DataFrame, settings: pd.DataFrame, plan: Plan) -> Best | None:
    """The setting with the best mean, of those that finished as often as any; None without replicates."""
    if rows.empty or settings["n"].max() < 2:
        return None
    row = settings[settings["n"] == settings["n"].max()].iloc[0]
    same = rows
    for key in choices(plan):
        same = same[same[key] == row[key]]
    jobs = [job for job in plan.jobs if job.number in set(same["number"])]
    varied = [key for key in swept_keys(plan) if key in REPLICATES]
    fixed = [text for text in jobs[0].overrides if next(iter(assignments([text]))) not in varied]
    values = {key: dict.fromkeys(assignments(job.overrides)[key] for job in jobs) for key in varied}
    again = [f"{key}={','.join(found)}" for key, found in values.items()]
    return Best(float(row["monitored"]), row, _command(plan, ["--multirun", *fixed, *again]))


def _command(plan: Plan, arguments: list[str]) -> str:
    """An option that asks for a search would start another: say that it is one run, or a plain grid."""
    if "--multirun" not in arguments:
        arguments = [argument for argument in arguments if not argument.startswith("launcher=")]
    searched = any(argument.startswith("hparams_search=") for argument in arguments)
    if searched and "--multirun" in arguments:
        arguments = [*arguments, "hydra/sweeper=grid"]
    elif searched:
        arguments = [*arguments, "hydra.mode=RUN"]
    return shlex.join(["brain-tumor", plan.verb, *arguments])
