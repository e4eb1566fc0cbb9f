"""SIGTERM and SIGUSR1: what a cluster sends before it takes the machine away."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from brain_tumor.errors import BrainTumorError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
PATIENCE = 8.0
"""Seconds that training has to come to a point where it can be saved; clusters kill some time after their warning."""

log = logging.getLogger(__name__)


class PreemptedError(BrainTumorError):
    """A run was asked to stop; `brain_tumor.runtime.resume` says how it goes on."""

    status = "preempted"

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number  # as shells tell it
        name = signal.Signals(number).name
        super().__init__(f"Stopped by {name}; the same command with resume=auto and its hydra.run.dir goes on.")


class Stop:
    """Whether a stop was asked for: raised at once, or while ``deferred`` kept for whoever looks."""

    def __init__(self) -> None:
        self.asked: int | None = None
        """The signal's number."""
        self._deferred = False

    def handle(self, number: int, _: FrameType | None = None) -> None:
        """The signal handler."""
        self.asked = number
        if not self._deferred:
            raise PreemptedError(number)
        signal.signal(signal.SIGALRM, self._out_of_patience)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def _out_of_patience(self, *_: object) -> None:
        raise PreemptedError(self.asked or signal.SIGTERM)

    def install(self) -> None:
        """Take the signals; Lightning takes SIGTERM for itself when it starts to fit, and means less by it."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self.handle)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, a stop waits for `check` at a good moment, though not longer than `PATIENCE`."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.check()

    def check(self) -> None:
        """Stop here if that was asked for.

        Raises:
            PreemptedError: It was.
        """
        if self.asked is not None:
            raise PreemptedError(self.asked)


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
