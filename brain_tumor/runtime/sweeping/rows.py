"""The jobs of a sweep as a table, read from their run directories."""

import json
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.evaluation.summary import DETECTION, HEADLINES
from brain_tumor.runtime.sweeping.jobs import Job, Plan, read_record

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
