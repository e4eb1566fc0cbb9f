"""The plan of a sweep (``sweep.json``), the records of its jobs (``run.json``), and the reasons of failed jobs."""

import logging
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_tumor.config.compose import explain
from brain_tumor.errors import BrainTumorError, ConfigError, JobError, PreemptedError, RunDirError
from brain_tumor.run_dir.atomic import read_json, write_json
from brain_tumor.run_dir.record import command_line, read_record, utc_now

FINAL_STATUSES = ("finished", "failed", "pruned", "preempted")
"""Values of ``status`` in ``run.json`` of a job that has ended; before that it is ``waiting`` or ``running``."""

REPLICATES = ("seed", "split.fold", "split.repeat", "split.source", "split.seed")
"""Keys whose values make replicates of one setting: they change the random draws, not the method."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep."""

    number: int
    folder: str
    """Run directory: relative to the sweep's directory if it lies in there, else absolute."""
    overrides: list[str]


@dataclass
class Plan:
    """Content of ``sweep.json``: the jobs of a sweep, the keys they differ in, and the metric that ranks them."""

    verb: str
    metric: str | None
    """Monitored validation metric."""
    mode: str | None
    """``max`` if a higher value of the metric is better, ``min`` if a lower one is."""
    swept: list[str]
    """Keys that the sweep varies."""
    jobs: list[Job] = field(default_factory=list)
    status: str = "running"
    """``running``, ``finished`` (all jobs have run), ``failed`` (some of them failed) or ``stopped`` (interrupted)."""
    command: str = field(default_factory=command_line)
    started: str = field(default_factory=utc_now)
    config_dir: str | None = None
    """The user's own ``--config-dir``."""

    @classmethod
    def create(cls, config: DictConfig, swept: Sequence[str]) -> Self:
        """Create the directory of a sweep, and a plan without jobs.

        Args:
            config: Configuration of the sweep, with ``hydra``.
            swept: Keys that the sweep varies, with a ``+`` where the command line has one.

        Raises:
            ConfigError: The directory cannot be created.
        """
        folder = Path(config.hydra.sweep.dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"The sweep directory {folder} cannot be created ({error}); set hydra.sweep.dir."
            ) from error
        sources = OmegaConf.select(config, "hydra.runtime.config_sources", default=[])
        return cls(
            verb=config.hydra.job.config_name,
            metric=OmegaConf.select(config, "monitor.metric"),
            mode=OmegaConf.select(config, "monitor.mode"),
            swept=list(dict.fromkeys(key.lstrip("+~") for key in swept)),
            config_dir=next((each.path for each in sources if each.provider == "command-line"), None),
        )

    @classmethod
    def read(cls, sweep_dir: Path) -> Self:
        """Read ``sweep.json``.

        Raises:
            ConfigError: The directory holds no readable ``sweep.json``.
        """
        try:
            document = read_json(sweep_dir / "sweep.json")
            return cls(**{**document, "jobs": [Job(**job) for job in document["jobs"]]})
        except (OSError, RunDirError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{sweep_dir} is not the directory of a sweep: it holds no readable sweep.json. Name the directory "
                "that hydra.sweep.dir named."
            ) from error

    def write(self, sweep_dir: Path) -> None:
        """Write ``sweep.json`` in one step."""
        write_json(asdict(self), sweep_dir / "sweep.json")


def end_record(run_dir: Path, status: str, reason: str | None = None) -> None:
    """Record in ``run.json`` how a job ended, for a job that could not do so itself.

    Args:
        run_dir: Run directory, created if it is missing.
        status: One of `FINAL_STATUSES`.
        reason: Reason of a failure, in one sentence.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    outcome = {"status": status, "ended": utc_now()} | ({"reason": reason} if reason else {})
    write_json(read_record(run_dir) | outcome, run_dir / "run.json")


def reset_records(run_dirs: Sequence[Path], *, overwrite: bool, resume: bool = False) -> None:
    """Set the records of earlier runs to ``waiting``, so that none of them passes for a result of this sweep.

    Args:
        run_dirs: Run directories of the jobs.
        overwrite: Whether earlier runs may be replaced.
        resume: Whether earlier runs are resumed; the records of finished ones then stay as they are.

    Raises:
        ConfigError: A directory holds a run that may be neither replaced nor resumed.
    """
    for run_dir in run_dirs:
        record = read_record(run_dir)
        if not record or (resume and record.get("status") == "finished"):
            continue
        if not resume and not overwrite:
            raise ConfigError(
                f"{run_dir} already holds a run; resume it with resume=auto, choose another hydra.sweep.dir, or set "
                "overwrite=true."
            )
        write_json((record if resume else {}) | {"status": "waiting"}, run_dir / "run.json")


def job_failure(error: BaseException) -> JobError:
    """Convert any error to one that every launcher can pass between processes; log its traceback to the job's file."""
    _log_traceback(error)
    return JobError(failure_reason(error))


def failure_reason(error: BaseException) -> str:
    """Describe an error in one sentence."""
    if isinstance(error, BrainTumorError | PreemptedError | JobError):
        return str(error)
    if isinstance(error, OmegaConfBaseException):
        return explain(error)
    if isinstance(error, SystemExit):
        return f"exited with code {error.code}"
    first_line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__


def _log_traceback(error: BaseException) -> None:
    """Log a traceback to files only: the terminal shows one line per job."""
    text = "".join(traceback.format_exception(error)).rstrip()
    record = logging.LogRecord(__name__, logging.ERROR, __file__, 0, text, None, None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
