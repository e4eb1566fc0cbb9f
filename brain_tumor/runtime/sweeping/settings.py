"""Jobs that differ only in their seed or fold are one setting, tried several times: mean and spread, and the best."""

import shlex
from dataclasses import dataclass

import pandas as pd

from brain_tumor.runtime.sweeping.jobs import REPLICATES, Plan
from brain_tumor.runtime.sweeping.rows import assignments, swept_keys

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
