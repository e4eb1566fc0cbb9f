"""A request to stop training early: raised at once, or deferred until training can be saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from brain_tumor.errors import BrainTumorError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
PATIENCE = 8.0
"""Seconds that training has to reach a point where it can be saved; clusters kill a job some time after the signal."""


class PreemptedError(BrainTumorError):
    """The run was asked to stop by a signal; ``resume=auto`` resumes it."""

    status = "preempted"

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number  # a shell's convention for a process that a signal ended
        name = signal.Signals(number).name
        super().__init__(f"Stopped by {name}; the same command with resume=auto and this hydra.run.dir resumes it.")


class Stop:
    """A request to stop: raised at once, or, inside `deferred`, kept until `check` is called."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """Number of the signal that asked to stop, or None."""
        self._deferred = False

    def handle(self, number: int, _: FrameType | None = None) -> None:
        """Handle a signal."""
        self.signal = number
        if not self._deferred:
            raise PreemptedError(number)
        signal.signal(signal.SIGALRM, self._out_of_patience)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def _out_of_patience(self, *_: object) -> None:
        raise PreemptedError(self.signal or signal.SIGTERM)

    def install(self) -> None:
        """Install the handlers, again after Lightning has installed its own for SIGTERM at the start of fitting."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self.handle)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Keep a request for `check` inside the context, but not longer than `PATIENCE`."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.check()

    def check(self) -> None:
        """Raise if a stop was requested.

        Raises:
            PreemptedError: A stop was requested.
        """
        if self.signal is not None:
            raise PreemptedError(self.signal)
