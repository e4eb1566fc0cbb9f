"""What a forked process does: become like a fresh one, run its job, send back how it ended."""

import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from brain_tumor.runtime.sweeping.failure import job_failure
from brain_tumor.runtime.sweeping.processes import GRACE


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
