"""Handle SIGTERM and SIGUSR1, which clusters send before they end a job, and SIGINT of Ctrl-C."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from brain_tumor.callbacks.stop import SIGNALS, Stop
from brain_tumor.errors import REPEAT

log = logging.getLogger(__name__)


@contextmanager
def stop_signals(advice: str = REPEAT) -> Iterator[Stop]:
    """Handle the signals inside the context; afterwards the previous handlers are restored.

    Args:
        advice: How to go on after a stop, the end of the message.

    Raises:
        PreemptedError: A signal asked to stop.
    """
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)}
    stop = Stop(advice)
    stop.install()
    try:
        yield stop
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def requeue() -> None:
    """Requeue the Slurm job that this process belongs to; without Slurm, do nothing."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, timeout=30)  # noqa: S603, S607
        log.info("Slurm job %s is requeued.", job)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("Slurm job %s could not be requeued (%s); submit it again.", job, error)
