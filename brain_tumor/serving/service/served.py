"""One model as the server runs it: a bounded number of requests, one engine that joins them into batches."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.volumes import ScanRules
from brain_tumor.errors import BrainTumorError
from brain_tumor.serving.answer import DEFAULT_POINT
from brain_tumor.serving.bundle import Bundle, read_bundle
from brain_tumor.serving.engines import AUTO, Engine, open_engine
from brain_tumor.serving.inference import BATCH_SIZE
from brain_tumor.serving.predictor import Predictor
from brain_tumor.serving.service.limits import Limits, check
from brain_tumor.serving.service.micro_batching import MicroBatching, calls_of
from brain_tumor.serving.study import EVERY_SLICE, Study, study

T = TypeVar("T")
_LOOK = 0.25
"""Seconds between looks whether whoever asked is still there."""


class BusyError(BrainTumorError):
    """As many requests wait as may wait."""


class TimedOutError(BrainTumorError):
    """A request took longer than it may."""


class ClientLeftError(BrainTumorError):
    """Whoever asked has left."""


@dataclass(frozen=True)
class Queue:
    """How many requests are worked on."""

    working: int = 8
    """Requests whose files are read at the same time."""
    waiting: int = 64
    """Further requests that wait; more are refused."""


class Served:
    """A model that answers requests of several clients.

    Args:
        bundle: Model.
        engine: Engine that runs its network; it is called by one thread.
        limits: What a request may hold.
        queue: How many requests are worked on.
        point: Operating point of the decision.
        rules: Which files and slices are taken.
        batch_size: Largest number of images that are computed together.

    Raises:
        ConfigError: The model has no such operating point.
    """

    def __init__(
        self,
        bundle: Bundle,
        engine: Engine,
        limits: Limits | None = None,
        queue: Queue | None = None,
        point: str = DEFAULT_POINT,
        rules: ScanRules = EVERY_SLICE,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self.limits, self.queue = limits or Limits(), queue or Queue()
        self._batching, self._batch_size = MicroBatching(engine, batch_size), batch_size
        self.predictor = Predictor(bundle, self._batching, point)
        self._rules, self._requests = rules, 0
        self._pool = ThreadPoolExecutor(self.queue.working, "requests")

    @classmethod
    def load(
        cls,
        model: str | Path,
        engine: str = AUTO,
        precision: str = "fp32",
        threads: int | None = None,
        plugins: Sequence[str] = (),
        verify: str | Path | None = None,
        **settings: Any,
    ) -> "Served":
        """Load a model, see `brain_tumor.serving.predictor.Predictor.load`.

        Args:
            model: Run directory, or bundle.
            engine: As there.
            precision: As there.
            threads: As there.
            plugins: As there.
            verify: As there.
            **settings: Further arguments of the class.

        Raises:
            BrainTumorError: As there.
        """
        bundle = read_bundle(model, plugins, verify)
        return cls(bundle, open_engine(bundle, engine, precision, threads), **settings)

    @property
    def died(self) -> bool:
        """Whether the thread that computes has ended with an error: no request can be answered any more."""
        return self._batching.died

    @property
    def requests(self) -> int:
        """Number of requests that are worked on or wait."""
        return self._requests

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request, from before its upload to its answer: what all of them hold in memory is bounded.

        Raises:
            BusyError: Too many are counted already.
        """
        if self._requests >= self.queue.working + self.queue.waiting:
            raise BusyError(f"{self._requests} requests wait already; try again in a moment.")
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def answer(
        self,
        files: Sequence[MemoryFile],
        has_left: Callable[[], Awaitable[bool]],
        finish: Callable[[Study, Mapping[str, MemoryFile]], T],
    ) -> T:
        """Answer for the files of a request that was `admitted`.

        Args:
            files: Files of the request.
            has_left: Function that tells whether whoever asked has left; then nothing more is computed.
            finish: Function of the answers and of the files by name that makes what is sent; called in a thread.

        Raises:
            TooLargeError: The request holds too much.
            TimedOutError: It takes longer than ``limits.seconds``.
            ClientLeftError: Whoever asked has left.
        """
        left = threading.Event()
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._work, files, left, finish)
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be there to look
        try:
            async with asyncio.timeout(self.limits.seconds):
                while not (await asyncio.wait([work], timeout=_LOOK))[0]:
                    if await has_left():
                        raise ClientLeftError("Whoever asked has left.")
            return work.result()
        except TimeoutError:
            raise TimedOutError(
                f"No answer within {self.limits.seconds:g} s; send fewer files or slices at a time."
            ) from None
        finally:
            left.set()

    def close(self) -> None:
        """Answer what was accepted, and end."""
        self._pool.shutdown()
        self._batching.close()

    def _work(
        self, files: Sequence[MemoryFile], left: threading.Event, finish: Callable[[Study, Mapping[str, MemoryFile]], T]
    ) -> T:
        with calls_of(left):
            refused = check(files, self.limits)
            accepted = [file for file in files if str(file) not in refused]
            found = study(self.predictor, accepted, self._rules, self._batch_size)
            complete = Study(found.images, found.volumes, refused | found.left_out)
            return finish(complete, {str(file): file for file in accepted})
