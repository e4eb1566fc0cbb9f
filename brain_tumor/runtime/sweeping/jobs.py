"""A sweep's plan, ``sweep.json``, and how each of its jobs stands; all of it on the disk."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from brain_tumor.errors import ConfigError
from brain_tumor.runtime.record import command_line, write_json

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
