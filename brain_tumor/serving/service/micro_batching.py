"""One engine for many threads: calls that wait at the same time are computed in one batch."""

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np

from brain_tumor.serving.engines import Engine, Outputs, Pixels
from brain_tumor.serving.inference import BATCH_SIZE

log = logging.getLogger(__name__)
_LEFT: ContextVar[threading.Event | None] = ContextVar("left", default=None)


class WorkerDiedError(RuntimeError):
    """The thread that computes has ended with an error; the process should be restarted."""


@contextmanager
def calls_of(left: threading.Event) -> Iterator[None]:
    """Drop the calls made inside, in this thread, once an event is set: whoever asked has left."""
    token = _LEFT.set(left)
    try:
        yield
    finally:
        _LEFT.reset(token)


@dataclass(eq=False)
class _Call:
    pixels: Pixels
    left: threading.Event | None
    result: "Future[Outputs]" = field(default_factory=Future)

    @property
    def is_dropped(self) -> bool:
        return self.left is not None and self.left.is_set()


class MicroBatching:
    """An engine that joins the calls of several threads, as large as they are, into batches of another.

    A call waits while as many images wait as ``capacity`` says. An image that the engine refuses fails its own call
    alone.

    Args:
        engine: Engine that computes; it is called by one thread.
        largest: Largest number of images in a batch; a call that has more is computed on its own.
        capacity: Number of waiting images from which further calls have to wait.
    """

    def __init__(self, engine: Engine, largest: int = BATCH_SIZE, capacity: int = 256) -> None:
        self._engine, self._largest, self._capacity = engine, largest, capacity
        self._waiting: deque[_Call] = deque()
        self._images, self._closed, self._died = 0, False, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    def __call__(self, pixels: Pixels) -> Outputs:
        """Compute the outputs of images uint8 [B, 1, S, S].

        Raises:
            CancelledError: The event of `calls_of` is set.
            WorkerDiedError: The computing thread has ended.
            RuntimeError: The engine was closed.
        """
        call = _Call(pixels, _LEFT.get())
        with self._changed:
            self._changed.wait_for(lambda: self._images < self._capacity or self._closed or self._died)
            if self._died:
                raise WorkerDiedError("The inference thread has ended.")
            if self._closed:
                raise RuntimeError("Closed.")
            self._waiting.append(call)
            self._images += len(pixels)
            self._changed.notify_all()
        return call.result.result()

    @property
    def died(self) -> bool:
        """Whether the computing thread has ended with an error."""
        return self._died

    @property
    def waiting(self) -> int:
        """Number of images that wait."""
        return self._images

    def close(self) -> None:
        """Compute what waits, refuse further calls, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        try:
            while calls := self._next():
                self._compute(calls)
        except BaseException:  # whatever it is: all that wait must be told
            log.exception("The inference thread has ended.")
            with self._changed:
                self._died = True
                left, self._images = list(self._waiting), 0
                self._waiting.clear()
                self._changed.notify_all()
            for call in left:
                call.result.set_exception(WorkerDiedError("The inference thread has ended."))

    def _next(self) -> list[_Call]:
        """Wait for calls, and take as many as fit into a batch; none once the engine is closed and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            calls: list[_Call] = []
            while self._waiting:
                size = sum(len(call.pixels) for call in calls) + len(self._waiting[0].pixels)
                if calls and size > self._largest:
                    break
                calls.append(self._waiting.popleft())
            self._images -= sum(len(call.pixels) for call in calls)
            self._changed.notify_all()
        return calls

    def _compute(self, calls: Sequence[_Call]) -> None:
        """Compute a batch of calls; where that fails, each of them on its own."""
        wanted = []
        for call in calls:
            if call.is_dropped:
                call.result.set_exception(CancelledError())
            else:
                wanted.append(call)
        if not wanted:
            return
        try:
            outputs = self._engine(np.concatenate([call.pixels for call in wanted]))
        except Exception as error:
            if len(wanted) == 1:
                wanted[0].result.set_exception(error)
            else:
                for call in wanted:
                    self._compute([call])
            return
        except BaseException as error:
            for call in wanted:
                call.result.set_exception(WorkerDiedError(str(error)))
            raise
        start = 0
        for call in wanted:
            rows = slice(start, start := start + len(call.pixels))
            call.result.set_result(outputs.of_rows(rows))
