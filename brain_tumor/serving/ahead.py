"""Work that threads do ahead of whoever takes the results, but not far ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from brain_tumor.serving.engines import cores

T = TypeVar("T")
R = TypeVar("R")


def ahead(function: Callable[[T], R], items: Iterable[T], window: int = 64) -> Iterator[R]:
    """Yield ``function(item)`` in the order of the items, of which at most ``window`` are under way or untaken."""
    with ThreadPoolExecutor(cores()) as pool:
        pending: deque[Future[R]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
