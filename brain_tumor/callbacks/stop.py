"""A request to stop training early: raised at once, or kept until training can be saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from brain_tumor.errors import BrainTumorError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
PATIENCE = 8.0
"""Seconds that training has to come to a point where it can be saved; clusters kill some time after their warning."""


class PreemptedError(BrainTumorError):
    """A run was asked to stop; `brain_tumor.run_dir.resume` says how it goes on."""

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
