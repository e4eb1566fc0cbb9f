"""The default launcher of sweeps: one forked process per job, from a parent that has imported everything already."""

import gc
import importlib
import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from brain_tumor.errors import JobError, require
from brain_tumor.sweeps.jobs import job_failure

GRACE = 20.0
"""Seconds from SIGTERM to SIGKILL: enough to write a checkpoint."""


def death(code: int | None) -> str:
    """An exit code in words."""
    if code is not None and code < 0:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended without a result, with exit code {code}"


def end(process: BaseProcess) -> None:
    """Wait for a process that is about to end; end it and what it started if it does not, or did not end well."""
    process.join(GRACE)
    if process.exitcode != 0:
        send(process, signal.SIGKILL)
        process.join()


def send(process: BaseProcess, number: signal.Signals) -> None:
    """To the job's whole process group, which outlives the job where workers of it do."""
    if process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


@dataclass(frozen=True)
class Task:
    """One job, as Hydra's launchers know it."""

    context: HydraContext
    function: TaskFunction
    config: DictConfig
    overrides: list[str]
    number: int


def run_child(task: Task, pipe: Connection, slot: int, slots: int, parent: int) -> None:
    """Run one job in this process and send its `JobReturn`.

    Args:
        task: The job.
        pipe: To the parent.
        slot: Which of ``slots`` places this job fills: it gets that part of the cores and GPUs.
        slots: Jobs at once.
        parent: Process id; when it is gone this one ends too.
    """
    os.setpgid(0, 0)  # so that all that the job starts can be ended with it, and Ctrl-C reaches the sweep alone
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _forget_randomness()
    if slots > 1:
        _take_share(slot, slots)
    pipe.send(_run(task, quiet=slots > 1))


def _run(task: Task, *, quiet: bool) -> JobReturn:
    try:
        config = task.context.config_loader.load_sweep_config(task.config, task.overrides)
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = task.number
        folder = Path(config.hydra.sweep.dir) / str(config.hydra.sweep.subdir)
        with _output_to(folder / "console.txt") if quiet else nullcontext():
            return run_job(
                hydra_context=task.context,
                task_function=task.function,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
    except BaseException as error:
        return JobReturn(status=JobStatus.FAILED, _return_value=job_failure(error))
    finally:
        logging.shutdown()


def _forget_randomness() -> None:
    """Forked processes would all draw the same names and numbers until they are seeded."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


def _take_share(slot: int, slots: int) -> None:
    import torch

    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // slots))
    gpus = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    gpus = gpus or [str(index) for index in range(torch.cuda.device_count())]
    if len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[slot::slots] or [gpus[slot % len(gpus)]])


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Jobs at once would write into each other's lines; on the screen the sweep says what started and ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
        sys.stdout = sys.stderr = file
        yield


log = logging.getLogger(__name__)

PRELOADED = {
    "brain_tumor.train": (
        "lightning",
        "brain_tumor.models.timm_backbone",
        "brain_tumor.pipelines.training",
        "faiss",
        "timm",
    )
}
"""Module of a task → what is imported once for all of its jobs; none of it starts threads of torch or touches a GPU."""

_POLL = 0.2


@dataclass(frozen=True)
class _Running:
    number: int
    slot: int
    process: BaseProcess
    pipe: Connection


class ForkedLauncher(Launcher):
    """Forks one process a job, ``n_jobs`` at a time.

    A job that raises, exits or is killed becomes a failed `JobReturn` whose error is a `JobError` with the reason; the
    others go on. When the sweep is interrupted its jobs are ended too, and they end themselves when it is killed.

    Raises:
        ConfigError: ``n_jobs`` is not a whole number from 1.
    """

    def __init__(self, n_jobs: int = 1) -> None:
        require(isinstance(n_jobs, int) and n_jobs >= 1, f"hydra.launcher.n_jobs={n_jobs}", "a whole number from 1")
        self.n_jobs = n_jobs
        self.on_end: Callable[[int, JobReturn], None] = lambda *_: None
        """Called with number and outcome whenever a job has ended."""
        self._fallback = BasicLauncher()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's."""
        self._context, self._task, self._config = hydra_context, task_function, config
        self._fallback.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; one outcome each, in their order."""
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        Path(self._config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        jobs = list(enumerate(map(list, job_overrides), initial_job_idx))
        if unsafe := why_unsafe():
            log.info("%s: the jobs run one after another in this process, as hydra/launcher=basic.", unsafe)
            return [self._run_here(number, overrides) for number, overrides in jobs]
        _preload(self._task)
        gc.freeze()  # what is there by now stays: jobs need not look through it, and their memory stays shared
        try:
            return self._run_forked(jobs)
        finally:
            gc.unfreeze()

    def _run_here(self, number: int, overrides: list[str]) -> JobReturn:
        (ended,) = self._fallback.launch([overrides], initial_job_idx=number)
        self.on_end(number, ended)
        return ended

    def _run_forked(self, jobs: list[tuple[int, list[str]]]) -> list[JobReturn]:
        waiting, running, outcomes = deque(jobs), list[_Running](), dict[int, JobReturn]()
        try:
            while waiting or running:
                while waiting and len(running) < self.n_jobs:
                    slot = min(set(range(self.n_jobs)) - {job.slot for job in running})
                    running.append(self._start(*waiting.popleft(), slot))
                wait([job.pipe for job in running], timeout=_POLL)
                for job in [job for job in running if job.pipe.poll() or not job.process.is_alive()]:
                    running.remove(job)
                    outcomes[job.number] = _outcome(job)
                    self.on_end(job.number, outcomes[job.number])
        finally:
            for job in running:
                send(job.process, signal.SIGTERM)
            for job in running:
                end(job.process)
        return [outcomes[number] for number, _ in jobs]

    def _start(self, number: int, overrides: list[str], slot: int) -> _Running:
        log.info("#%d: %s", number, " ".join(text for text in overrides if not text.lstrip("+").startswith("hydra.")))
        task = Task(self._context, self._task, self._config, overrides, number)
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=run_child, args=(task, sender, slot, self.n_jobs, os.getpid()))
        sys.stdout.flush()
        with warnings.catch_warnings():
            # from Python 3.12: "multi-threaded, use of fork() may lead to deadlocks". The threads are those of
            # OpenBLAS, which stops them for a fork and starts them again.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        sender.close()
        return _Running(number, slot, process, receiver)


def why_unsafe() -> str | None:
    """What stands against forking here, or None."""
    if sys.platform != "linux":
        return f"Forking is not safe on {sys.platform}"
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "This process uses a GPU already, which a forked one could not"
    return None


def _preload(task: TaskFunction) -> None:
    logging.disable(logging.INFO)  # faiss tells which of its builds it tries
    try:
        for module in PRELOADED.get(task.__module__, ()):
            importlib.import_module(module)
    finally:
        logging.disable(logging.NOTSET)


def _outcome(job: _Running) -> JobReturn:
    """What the job sent, or how it died."""
    ended: JobReturn | None = None
    with suppress(EOFError, OSError):
        if job.pipe.poll():
            ended = job.pipe.recv()
    job.pipe.close()
    end(job.process)
    return ended or JobReturn(status=JobStatus.FAILED, _return_value=JobError(death(job.process.exitcode)))
