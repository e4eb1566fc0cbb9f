"""``run.json``: what ran, on what, with what, how long, and how it ended."""

import errno
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import brain_tumor
from brain_tumor.errors import BrainTumorError, ConfigError, RunDirError
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.run_dir.resume import facts

_LIBRARIES = ("torch", "torchvision", "lightning", "torchmetrics", "timm", "hydra-core", "albumentations", "numpy")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
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


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write JSON in one step: a reader sees the old file or the whole new one."""
    with published_file(path) as draft:
        draft.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


class RunRecord:
    """A context that keeps ``run.json`` up to date: running, then finished, or failed or preempted (with the reason).

    What an earlier run left in the directory is removed first, unless that run is gone on with.

    Args:
        run_dir: Made if it is missing.
        overwrite: Replace a finished run that lies there.
        resume: Go on with the run that lies there: keep its files, when it started and what it took so far.

    Raises:
        ConfigError: A finished run lies there and may not be replaced, or the directory cannot be written.
    """

    def __init__(self, run_dir: Path, *, overwrite: bool = False, resume: bool = False) -> None:
        refuse_finished(run_dir, overwrite)
        self.run_dir = run_dir
        self._path = run_dir / "run.json"
        self._facts: dict[str, Any] = {
            "status": "running",
            "started": _now(),
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
            self._facts |= _before(run_dir)
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and not resume:
                _clear(run_dir)
            self._write()
        except OSError as error:
            raise ConfigError(f"The run directory {run_dir} cannot be written ({error}); set hydra.run.dir.") from error

    def note(self, **facts: Any) -> None:
        """Add facts, and write them down at once."""
        self._facts |= facts
        self._write()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside under ``seconds.<name>``."""
        start = time.perf_counter()
        yield
        seconds = self._facts["seconds"].get(name, 0) + time.perf_counter() - start
        self._facts["seconds"][name] = round(seconds, 3)
        self._write()

    @property
    def facts(self) -> dict[str, Any]:
        """All that is known so far."""
        return self._facts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.note(status="finished", ended=_now())
            return
        told = self._in_words(error)
        reason = str(told) if isinstance(told, BrainTumorError) else f"{type(error).__name__}: {error}"
        with suppress(OSError):  # where even this cannot be written, the reason is still told
            self.end(getattr(error, "status", "failed"), reason)
        if told is not error:
            raise told from error

    def _in_words(self, error: BaseException) -> BaseException:
        """The error itself, or a sentence in its place if it comes of a run directory that is full, or gone."""
        if not isinstance(error, OSError | BrainTumorError):
            return error
        if self._path.is_file() and not (isinstance(error, OSError) and self._refused(error)):
            return error
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        return RunDirError(
            f"The run directory {self.run_dir} can no longer be written ({reason}); what was "
            "saved before is whole. Make room or bring the directory back; the same command with resume=auto and this "
            "hydra.run.dir goes on."
        )

    def _refused(self, error: OSError) -> bool:
        return error.errno in _NO_ROOM or str(self.run_dir) in f"{error} {error.filename}"

    def end(self, status: str, reason: str) -> None:
        """Write down that the run ended before its time, and why."""
        self.note(status=status, ended=_now(), reason=reason)

    def _write(self) -> None:
        write_json(self._facts, self._path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def refuse_finished(run_dir: Path, overwrite: bool) -> None:
    """Stop before a finished run is touched.

    Raises:
        ConfigError: One lies there and may not be replaced.
    """
    if not overwrite and facts(run_dir).get("status") == "finished":
        raise ConfigError(f"{run_dir} holds a finished run; choose another hydra.run.dir, or set overwrite=true.")


def _before(run_dir: Path) -> dict[str, Any]:
    """What goes on from an interrupted run."""
    known = facts(run_dir)
    kept = {name: known[name] for name in ("started", "seconds") if name in known}
    return kept | {"resumed": [*known.get("resumed", []), _now()]}


def _clear(run_dir: Path) -> None:
    """Remove what an earlier run left: its results must not stand beside this one's record."""
    for name in _OUTPUTS:
        if (run_dir / name).is_dir():
            shutil.rmtree(run_dir / name)
        else:
            (run_dir / name).unlink(missing_ok=True)


def command_line() -> str:
    """The command, without the program's folder, quoted so that a shell takes it."""
    return shlex.join([*Path(sys.argv[0]).name.split(), *sys.argv[1:]])


def git_sha() -> str | None:
    """Commit of the working copy this package runs from, with ``-dirty`` if it was changed; None elsewhere."""
    try:
        _git("ls-files", "--error-unmatch", "__init__.py")  # else a stranger's repository around it
        return _git("describe", "--always", "--abbrev=40", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(brain_tumor.__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603


def hardware() -> dict[str, Any]:
    """Processor, cores, and the GPUs that torch sees."""
    import torch  # takes seconds: not for verbs that only ask for the command line

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": gpus,
    }
