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

from brain_tumor.callbacks.stop import SIGNALS
from brain_tumor.errors import JobError, require
from brain_tumor.sweeps.jobs import job_failure

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
"""Module of a verb → modules that are imported once for all jobs; none of them starts torch threads or uses a GPU."""

TERMINATION_SECONDS = 20.0
"""Time from SIGTERM to SIGKILL: enough to write a checkpoint."""

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class _ForkedJob:
    """A job as Hydra passes it to launchers."""

    context: HydraContext
    function: TaskFunction
    config: DictConfig
    overrides: list[str]
    number: int


@dataclass(frozen=True)
class _RunningJob:
    number: int
    slot: int
    process: BaseProcess
    pipe: Connection


class ForkedLauncher(Launcher):
    """Launcher that forks one process per job.

    A job that raises, exits or is killed becomes a failed `JobReturn` whose error is a `JobError` with the reason; the
    others go on. When the sweep is interrupted, its jobs are stopped; when it is killed, they stop by themselves.

    Args:
        n_jobs: Largest number of jobs at a time.

    Raises:
        ConfigError: ``n_jobs`` is not a whole number from 1.
    """

    def __init__(self, n_jobs: int = 1) -> None:
        require(isinstance(n_jobs, int) and n_jobs >= 1, f"hydra.launcher.n_jobs={n_jobs}", "a whole number from 1")
        self.n_jobs = n_jobs
        self.on_end: Callable[[int, JobReturn], None] | None = None
        """Function that is called with the number and the outcome of each job as soon as it has ended."""
        self.total: int | None = None
        """Number of jobs of the sweep, if it is known."""
        self._fallback = BasicLauncher()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what the jobs need; called by Hydra."""
        self._context, self._task, self._config = hydra_context, task_function, config
        self._fallback.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs and return their outcomes, in the order of the jobs."""
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        Path(self._config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        jobs = list(enumerate(map(list, job_overrides), initial_job_idx))
        if reason := reason_not_to_fork():
            log.info("%s: the jobs run one after another in this process, as with hydra/launcher=basic.", reason)
            return [self._run_here(number, overrides) for number, overrides in jobs]
        _preload(self._task)
        gc.freeze()  # the garbage collector of a job would visit all objects of the parent, which copies shared memory
        try:
            return self._run_forked(jobs)
        finally:
            gc.unfreeze()

    def _run_here(self, number: int, overrides: list[str]) -> JobReturn:
        (outcome,) = self._fallback.launch([overrides], initial_job_idx=number)
        self._report(number, outcome)
        return outcome

    def _run_forked(self, jobs: list[tuple[int, list[str]]]) -> list[JobReturn]:
        waiting, running, outcomes = deque(jobs), list[_RunningJob](), dict[int, JobReturn]()
        try:
            while waiting or running:
                while waiting and len(running) < self.n_jobs:
                    slot = min(set(range(self.n_jobs)) - {job.slot for job in running})
                    running.append(self._start(*waiting.popleft(), slot))
                wait([job.pipe for job in running], timeout=_POLL_SECONDS)
                for job in [job for job in running if job.pipe.poll() or not job.process.is_alive()]:
                    running.remove(job)
                    outcomes[job.number] = _receive_outcome(job)
                    self._report(job.number, outcomes[job.number])
        finally:
            _stop_jobs([job.process for job in running])
        return [outcomes[number] for number, _ in jobs]

    def _start(self, number: int, overrides: list[str], slot: int) -> _RunningJob:
        place = f" (job {number + 1} of {max(self.total, number + 1)})" if self.total else ""
        settings = (text for text in overrides if not text.lstrip("+").startswith("hydra."))
        log.info("#%d%s: %s", number, place, " ".join(settings))
        job = _ForkedJob(self._context, self._task, self._config, overrides, number)
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_run_in_child, args=(job, sender, slot, self.n_jobs, os.getpid()))
        sys.stdout.flush()
        with warnings.catch_warnings():
            # from Python 3.12: "multi-threaded, use of fork() may lead to deadlocks". The threads are those of
            # OpenBLAS, which stops them for a fork and starts them again.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        sender.close()
        return _RunningJob(number, slot, process, receiver)

    def _report(self, number: int, outcome: JobReturn) -> None:
        if self.on_end:
            self.on_end(number, outcome)


def reason_not_to_fork() -> str | None:
    """Return why forking is not safe in this process, or None if it is safe."""
    if sys.platform != "linux":
        return f"Forking is not safe on {sys.platform}"
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "This process has used a GPU already, which forked processes then cannot use"
    return None


def _preload(task: TaskFunction) -> None:
    logging.disable(logging.INFO)  # faiss logs which of its builds it tries
    try:
        for module in PRELOADED.get(task.__module__, ()):
            importlib.import_module(module)
    finally:
        logging.disable(logging.NOTSET)


def _receive_outcome(job: _RunningJob) -> JobReturn:
    """Return the outcome that a job sent, or a failure if it died before."""
    outcome: JobReturn | None = None
    with suppress(EOFError, OSError):
        if job.pipe.poll():
            outcome = job.pipe.recv()
    job.pipe.close()
    _join_or_kill(job.process)
    return outcome or JobReturn(status=JobStatus.FAILED, _return_value=JobError(_exit_reason(job.process.exitcode)))


def _exit_reason(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended without a result, with exit code {code}"


def _join_or_kill(process: BaseProcess) -> None:
    """Wait for a process that is about to end; kill its process group if it does not end, or ends with an error."""
    process.join(TERMINATION_SECONDS)
    if process.exitcode != 0:
        _signal_group(process, signal.SIGKILL)
        process.join()


def _stop_jobs(processes: Sequence[BaseProcess]) -> None:
    """Give jobs the time to save and end; kill them if this process is itself told to stop again."""
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    try:
        for process in processes:
            _join_or_kill(process)
    finally:
        for process in processes:
            if process.is_alive():
                _signal_group(process, signal.SIGKILL)
                process.join()


def _signal_group(process: BaseProcess, number: signal.Signals) -> None:
    """Send a signal to the process group of a job, which its workers may keep alive after the job has ended."""
    if process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _run_in_child(job: _ForkedJob, pipe: Connection, slot: int, slots: int, parent: int) -> None:
    """Run a job in this forked process and send its `JobReturn` to the parent.

    Args:
        job: Job to run.
        pipe: Connection to the parent.
        slot: Index of the job among those that run at the same time, which selects its share of the GPUs.
        slots: Largest number of jobs at a time, among which cores and GPUs are divided.
        parent: Process id of the parent; if that process is gone, this one ends too.
    """
    os.setpgid(0, 0)  # one process group per job: it can be killed as a whole, and Ctrl-C reaches the sweep alone
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    _reseed()
    if slots > 1:
        _limit_resources(slot, slots)
    pipe.send(_run(job, to_file=slots > 1))


def _run(job: _ForkedJob, *, to_file: bool) -> JobReturn:
    """Run a job; with ``to_file`` its output goes to ``console.txt`` in its run directory."""
    try:
        config = job.context.config_loader.load_sweep_config(job.config, job.overrides)
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = job.number
        folder = Path(config.hydra.sweep.dir) / str(config.hydra.sweep.subdir)
        with _redirect_output(folder / "console.txt") if to_file else nullcontext():
            return run_job(
                hydra_context=job.context,
                task_function=job.function,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
    except BaseException as error:
        return JobReturn(status=JobStatus.FAILED, _return_value=job_failure(error))
    finally:
        logging.shutdown()


def _reseed() -> None:
    """Reseed the global generators: forked processes would draw the same numbers (and temporary file names)."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _end_with_parent(parent: int) -> None:
    """End this process group when the parent is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(TERMINATION_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _limit_resources(slot: int, slots: int) -> None:
    """Divide cores and GPUs among jobs that run at the same time."""
    import torch

    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // slots))
    gpus = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    gpus = gpus or [str(index) for index in range(torch.cuda.device_count())]
    if len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[slot::slots] or [gpus[slot % len(gpus)]])


@contextmanager
def _redirect_output(path: Path) -> Iterator[None]:
    """Write stdout and stderr to a file: lines of several jobs would mix in the terminal, where the sweep reports."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
        sys.stdout = sys.stderr = file
        yield
