"""A request to stop training early: raised at once, or deferred until training can be saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from brain_tumor.errors import BrainTumorError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
PATIENCE = 8.0
"""Seconds for training to reach a point where it can be saved; clusters kill some time after their warning."""


class PreemptedError(BrainTumorError):
    """A run was stopped by a signal; `brain_tumor.run_dir.resume` continues it."""

    status = "preempted"

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number  # as shells report it
        name = signal.Signals(number).name
        super().__init__(f"Stopped by {name}; the same command with resume=auto and its hydra.run.dir goes on.")


class Stop:
    """Whether a stop was requested: raised at once, or within ``deferred`` kept until it is checked."""

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
        """Handle the signals; Lightning replaces the handler of SIGTERM when it starts to fit."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self.handle)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within this context a stop waits until training can be saved, at most `PATIENCE` seconds."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.check()

    def check(self) -> None:
        """Stop here if that was requested.

        Raises:
            PreemptedError: A stop was requested.
        """
        if self.asked is not None:
            raise PreemptedError(self.asked)
