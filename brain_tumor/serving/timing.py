"""Latencies of several things side by side, so that a busy or slowing machine treats all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_BURST = 5
"""Calls in a row; the one before them is not counted, since it still meets the caches and threads of another."""


@dataclass(frozen=True)
class Latency:
    """Seconds of one call."""

    median: float
    p95: float
    calls: int


def interleaved(calls: Mapping[str, Callable[[], object]], *, seconds: float, rounds: int = 5) -> dict[str, Latency]:
    """Time calls in turn, in bursts, until ``seconds`` are over and each had ``rounds`` of them."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    end, done = time.perf_counter() + seconds, 0
    while done < rounds or time.perf_counter() < end:
        for name, call in calls.items():
            call()
            times[name] += [_timed(call) for _ in range(_BURST)]
        done += 1
    return {name: _latency(found) for name, found in times.items()}


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _latency(times: Sequence[float]) -> Latency:
    return Latency(statistics.median(times), statistics.quantiles(times, n=20, method="inclusive")[-1], len(times))
