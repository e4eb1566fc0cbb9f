"""SIGTERM and SIGUSR1: what a cluster sends before it takes the machine away."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from brain_tumor.callbacks.stop import SIGNALS, Stop

log = logging.getLogger(__name__)


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Handle the signals within; afterwards they do what they did before."""
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)}
    stop = Stop()
    stop.install()
    try:
        yield stop
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def requeue() -> None:
    """Put a Slurm job back into the queue; without Slurm, nothing."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, timeout=30)  # noqa: S603, S607
        log.info("Slurm job %s is queued again.", job)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("Slurm job %s could not be queued again (%s); submit it once more.", job, error)
