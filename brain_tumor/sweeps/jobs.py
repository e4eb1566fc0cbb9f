"""A sweep's plan, ``sweep.json``, the status of each of its jobs, and how a failed job is reported."""

import json
import logging
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from omegaconf.errors import OmegaConfBaseException

from brain_tumor.errors import BrainTumorError, ConfigError, JobError
from brain_tumor.run_dir.record import command_line, write_json

ENDED = ("finished", "failed", "pruned", "preempted")
"""What ``status`` of a run's ``run.json`` says when nothing more will come; before: ``waiting``, ``running``."""

REPLICATES = ("seed", "split.fold", "split.repeat", "split.source", "split.seed")
"""Keys that draw again and choose nothing."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep."""

    number: int
    folder: str
    """Its run directory, below the sweep's where it lies there."""
    overrides: list[str]


@dataclass
class Plan:
    """What ``sweep.json`` says: which jobs there are, what they differ in, and how to tell the best."""

    verb: str
    metric: str | None
    """Monitored validation metric."""
    mode: str | None
    """``max`` or ``min``: which of its values is best."""
    swept: list[str]
    """Keys that the jobs differ in."""
    jobs: list[Job] = field(default_factory=list)
    status: str = "running"
    """``running``, ``finished`` (all jobs), ``failed`` (some job) or ``stopped`` before the end."""
    command: str = field(default_factory=command_line)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def write(self, sweep_dir: Path) -> None:
        """Write ``sweep.json`` in one step."""
        write_json(asdict(self), sweep_dir / "sweep.json")

    @classmethod
    def read(cls, sweep_dir: Path) -> Self:
        """Read ``sweep.json``.

        Raises:
            ConfigError: There is none.
        """
        try:
            facts = json.loads((sweep_dir / "sweep.json").read_text(encoding="utf-8"))
            return cls(**{**facts, "jobs": [Job(**job) for job in facts["jobs"]]})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{sweep_dir} is no sweep's directory: it holds no readable sweep.json.") from error


def read_record(run_dir: Path) -> dict[str, Any]:
    """``run.json`` of a run, or nothing where there is none."""
    try:
        return dict(json.loads((run_dir / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def end_record(run_dir: Path, status: str, reason: str | None = None) -> None:
    """Note in ``run.json`` how a run ended that could not do so itself."""
    run_dir.mkdir(parents=True, exist_ok=True)
    ended = {"status": status, "ended": datetime.now(UTC).isoformat(timespec="seconds")}
    write_json(read_record(run_dir) | ended | ({"reason": reason} if reason else {}), run_dir / "run.json")


def clear_records(folders: Sequence[Path], *, overwrite: bool, resume: bool = False) -> None:
    """See to it that no record of an earlier sweep passes for this one's; with ``resume``, finished runs stay as such.

    Raises:
        ConfigError: There is one, and it may not be replaced.
    """
    for folder in folders:
        if record := read_record(folder):
            if resume:
                if record.get("status") != "finished":
                    write_json(record | {"status": "waiting"}, folder / "run.json")
                continue
            if not overwrite:
                raise ConfigError(
                    f"{folder} holds a run already; go on with resume=auto, choose another hydra.sweep.dir, or set "
                    "overwrite=true."
                )
            write_json({"status": "waiting"}, folder / "run.json")


def job_failure(error: BaseException) -> JobError:
    """Any error as one that every launcher can carry from process to process; its traceback goes to the job's log."""
    _log_traceback(error)
    return JobError(one_sentence(error))


def one_sentence(error: BaseException) -> str:
    """The reason as a person reads it."""
    from brain_tumor.config.compose import explain

    if isinstance(error, BrainTumorError | JobError):
        return str(error)
    if isinstance(error, OmegaConfBaseException):
        return explain(error)
    if isinstance(error, SystemExit):
        return f"ended itself with exit code {error.code}"
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _log_traceback(error: BaseException) -> None:
    """Into files only: on the screen a sweep shows one line a job."""
    record = logging.LogRecord(
        __name__, logging.ERROR, __file__, 0, "".join(traceback.format_exception(error)).rstrip(), None, None
    )
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
