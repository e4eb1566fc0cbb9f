"""A request to stop early: raised at once, or deferred until training can be saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from brain_tumor.errors import REPEAT, PreemptedError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
PATIENCE = 8.0
"""Seconds that training has to reach a point where it can be saved; clusters kill a job some time after the signal."""


class Stop:
    """A request to stop: raised at once, or, inside `deferred`, kept until `check` is called.

    A second Ctrl-C (SIGINT) is not deferred.

    Args:
        advice: How to go on after a stop, the end of the message.
    """

    def __init__(self, advice: str = REPEAT) -> None:
        self.signal: int | None = None
        """Number of the signal that asked to stop, or None."""
        self._advice = advice
        self._deferred = False

    def handle(self, number: int, _: FrameType | None = None) -> None:
        """Handle a signal."""
        again = number == signal.SIGINT and self.signal is not None
        self.signal = number
        if again or not self._deferred:
            raise self.error(at_once=again)
        signal.signal(signal.SIGALRM, self._out_of_patience)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def _out_of_patience(self, *_: object) -> None:
        raise self.error(at_once=True)

    def error(self, *, at_once: bool = False) -> PreemptedError:
        """Return the error that ends what runs; on a rank that got no signal itself, another one did."""
        return PreemptedError(self.signal or signal.SIGTERM, self._advice, at_once=at_once)

    def install(self) -> None:
        """Install the handlers, again after Lightning has installed its own for SIGTERM at the start of fitting.

        SIGINT that is ignored stays so, as in a background process of a shell.
        """
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if number != signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
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
            raise self.error()
