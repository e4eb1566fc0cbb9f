"""``run.json``: the record of a run, with its command, versions, hardware, seconds per stage, and how it ended."""

import errno
import importlib.metadata
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import filelock

import brain_tumor
from brain_tumor.errors import BrainTumorError, ConfigError, PreemptedError, RunDirError
from brain_tumor.run_dir.atomic import published_file, read_json, write_json

_LIBRARIES = ("torch", "torchvision", "lightning", "torchmetrics", "timm", "hydra-core", "albumentations", "numpy")
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Error numbers of a disk that is full or read-only."""
log = logging.getLogger(__name__)
_OUTPUTS = (
    "bundle",
    "checkpoints",
    "claim.md",
    "figures",
    "gate.safetensors",
    "ood_detector.safetensors",
    "metrics.csv",
    "predictions",
    "report.html",
    "results.json",
    "samples.csv",
    "tensorboard",
    "tripod_ai.md",
)
"""Files and folders that a run writes, and that the next run in the same directory removes."""
_OLD_RESULTS = {"floor": "baseline", "turned_away": "ood_rejection", "foreign": "ood"}
"""Keys of results.json in version 0.1 → present key."""


def read_record(run_dir: Path) -> dict[str, Any]:
    """Read ``run.json`` of a run; empty if it is missing or cannot be read."""
    try:
        return read_json(run_dir / "run.json")
    except (OSError, RunDirError):
        return {}


def read_results(run_dir: Path) -> dict[str, Any]:
    """Read ``results.json`` of a run; keys of version 0.1 get their present names.

    Raises:
        OSError: The file cannot be read.
        RunDirError: The file holds no JSON object.
    """
    return {_OLD_RESULTS.get(key, key): value for key, value in read_json(run_dir / "results.json").items()}


def refuse_taken(run_dir: Path, *, overwrite: bool, resume: bool = False) -> None:
    """Refuse a directory that holds a run, unless ``overwrite`` or ``resume`` says what to do with it.

    A run that failed before its first checkpoint has nothing to lose and may be replaced.

    Raises:
        ConfigError: The directory holds a finished run, or an interrupted one that is not resumed.
    """
    if overwrite:
        return
    status = read_record(run_dir).get("status")
    if status == "finished":
        raise ConfigError(f"{run_dir} holds a finished run; choose another hydra.run.dir, or set overwrite=true.")
    if status and not resume and any((run_dir / "checkpoints").glob("*.ckpt")):
        raise ConfigError(
            f"{run_dir} holds an interrupted run; continue it with resume=auto, choose another hydra.run.dir, or "
            "replace it with overwrite=true."
        )


class RunRecord:
    """Context manager that keeps ``run.json`` up to date.

    The status is ``running`` inside the context; on exit it becomes ``finished``, or, with the reason, ``failed``,
    ``preempted`` or ``pruned``. Outputs of an earlier run are removed first, unless that run is resumed.

    Args:
        run_dir: Run directory, created if it is missing.
        overwrite: Whether a finished run in the directory may be replaced.
        resume: Whether to continue the run in the directory: its files, start time and seconds per stage are kept.
        config_files: Files of ``.hydra/``, name → content.

    Raises:
        ConfigError: Another process runs in the directory, it holds a run that may not be replaced, or it cannot be
            written.
    """

    def __init__(
        self, run_dir: Path, *, overwrite: bool = False, resume: bool = False, config_files: Mapping[str, str] = {}
    ) -> None:
        refuse_taken(run_dir, overwrite=overwrite, resume=resume)
        self._lock = _claim(run_dir)
        self.run_dir = run_dir
        self._path = run_dir / "run.json"
        self._facts: dict[str, Any] = {
            "status": "running",
            "started": utc_now(),
            "pid": os.getpid(),
            "host": platform.node(),
            "command": command_line(),
            "git_sha": git_sha(),
            "versions": {"brain-tumor": brain_tumor.__version__, "python": platform.python_version()}
            | {name: importlib.metadata.version(name) for name in _LIBRARIES},
            "hardware": hardware(),
            "seconds": {},
        }
        if resume:
            self._facts |= _resumed_facts(run_dir)
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and not resume:
                _remove_outputs(run_dir)
            _write_config(run_dir / ".hydra", config_files)
            self._write()
        except OSError as error:
            raise ConfigError(f"The run directory {run_dir} cannot be written ({error}); set hydra.run.dir.") from error

    def note(self, **facts: Any) -> None:
        """Add facts and write ``run.json``."""
        self._facts |= facts
        self._write()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside the context to ``seconds.<name>``."""
        start = time.perf_counter()
        yield
        seconds = self._facts["seconds"].get(name, 0) + time.perf_counter() - start
        self._facts["seconds"][name] = round(seconds, 3)
        self._write()

    @property
    def facts(self) -> dict[str, Any]:
        """Content of ``run.json`` so far."""
        return self._facts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._exit(error)
        finally:
            self._lock.release()

    def _exit(self, error: BaseException | None) -> None:
        if error is None:
            self.note(status="finished", ended=utc_now())
            return
        raised = self._as_run_dir_error(error)
        sentence = isinstance(raised, BrainTumorError | PreemptedError)
        reason = str(raised) if sentence else f"{type(error).__name__}: {error}".removesuffix(": ")
        with suppress(OSError):  # if run.json cannot be written either, the error itself still gives the reason
            stopped = isinstance(error, KeyboardInterrupt)  # from Python, where no handler of ours is installed
            self.end("preempted" if stopped else getattr(error, "status", "failed"), reason)
        if raised is not error:
            raise raised from error

    def _as_run_dir_error(self, error: BaseException) -> BaseException:
        """Return a `RunDirError` if the run directory is full or gone, else the error itself."""
        if not isinstance(error, OSError | BrainTumorError):
            return error
        if self._path.is_file() and not (isinstance(error, OSError) and self._is_about_run_dir(error)):
            return error
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        return RunDirError(
            f"The run directory {self.run_dir} can no longer be written ({reason}); the files written before are "
            "complete. Free disk space or restore the directory, then repeat the command with resume=auto and this "
            "hydra.run.dir."
        )

    def _is_about_run_dir(self, error: OSError) -> bool:
        return error.errno in _DISK_ERRORS or str(self.run_dir) in f"{error} {error.filename}"

    def end(self, status: str, reason: str) -> None:
        """Record that the run ended without finishing.

        Args:
            status: ``failed``, ``preempted`` or ``pruned``.
            reason: Reason, in one sentence.
        """
        self.note(status=status, ended=utc_now(), reason=reason)

    def _write(self) -> None:
        write_json(self._facts, self._path)


def _claim(run_dir: Path) -> filelock.BaseFileLock:
    """Claim a run directory for this process, until the lock is released or the process ends.

    Raises:
        ConfigError: Another process has claimed it.
    """
    lock = filelock.FileLock(run_dir / ".lock", thread_local=False)
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise in_use(run_dir) from None
    except (OSError, NotImplementedError) as error:  # no locks here, or nothing can be written, which is said later
        log.debug("%s cannot be locked: %s", run_dir, error)
    return lock


def in_use(run_dir: Path) -> ConfigError:
    """Return the error for a directory that a living run writes to."""
    pid = read_record(run_dir).get("pid", "unknown")
    return ConfigError(
        f"{run_dir} is in use: a run writes to it (process {pid}); wait for its end, or choose another hydra.run.dir."
    )


def utc_now() -> str:
    """Return the time in ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _resumed_facts(run_dir: Path) -> dict[str, Any]:
    """Return what a resumed run keeps from ``run.json`` of the interrupted one, and the time of the restart."""
    record = read_record(run_dir)
    kept = {name: record[name] for name in ("started", "seconds", "tuning", "changed") if name in record}
    return kept | {"resumed": [*record.get("resumed", []), utc_now()]}


def _remove_outputs(run_dir: Path) -> None:
    """Remove the outputs of an earlier run, so that its results cannot pass for results of this one."""
    for name in _OUTPUTS:
        if (run_dir / name).is_dir():
            shutil.rmtree(run_dir / name)
        else:
            (run_dir / name).unlink(missing_ok=True)


def _write_config(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files of ``.hydra/``, each in one step, and remove those of an earlier run."""
    for name, content in files.items():
        folder.mkdir(exist_ok=True)
        with published_file(folder / name) as draft:
            draft.write_text(content, encoding="utf-8")
    for path in folder.glob("*.yaml"):
        if path.name not in files:
            path.unlink()


def command_line() -> str:
    """Return the command line, quoted for a shell, without the folder of the program."""
    return shlex.join([*Path(sys.argv[0]).name.split(), *sys.argv[1:]])


def git_sha() -> str | None:
    """Return the commit of the checkout that holds this package, with ``-dirty`` if it was changed; else None."""
    try:
        _git("ls-files", "--error-unmatch", "__init__.py")  # fails in the repository of somebody else
        return _git("describe", "--always", "--abbrev=40", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(brain_tumor.__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603


def hardware() -> dict[str, Any]:
    """Return machine type, number of cores, torch threads, and the GPUs that torch sees."""
    import torch  # takes seconds, which verbs that only need the command line do not spend

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": gpus,
    }
