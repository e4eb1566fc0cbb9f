"""Latency of functions that are timed in turn, so that a busy machine slows all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_BURST = 5
"""Timed calls in a row; the call before them is not timed: it pays for the caches and threads of another function."""


@dataclass(frozen=True)
class Latency:
    """Seconds per call."""

    median: float
    p95: float
    calls: int
    """Number of timed calls."""
    rounds: tuple[float, ...]
    """Median of each round; functions that are timed together take turns within a round."""


def interleaved(calls: Mapping[str, Callable[[], object]], *, seconds: float, rounds: int = 5) -> dict[str, Latency]:
    """Time functions in turn, in bursts, for ``seconds`` and for ``rounds`` bursts of each at least."""
    bursts: dict[str, list[list[float]]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    end, done = time.perf_counter() + seconds, 0
    while done < rounds or time.perf_counter() < end:
        for name, call in calls.items():
            call()
            bursts[name].append([_timed(call) for _ in range(_BURST)])
        done += 1
    return {name: _latency(of_name) for name, of_name in bursts.items()}


def speed_up(reference: Latency, other: Latency) -> float:
    """Compute how many times as fast a function is: the median over rounds of the ratio of the latencies.

    Args:
        reference: Latency of the function that it is compared with.
        other: Latency of the function, timed in turn with the reference.
    """
    ratios = (slow / fast for slow, fast in zip(reference.rounds, other.rounds, strict=True))
    return statistics.median(ratios)


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _latency(bursts: Sequence[Sequence[float]]) -> Latency:
    times = [seconds for burst in bursts for seconds in burst]
    p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
    return Latency(statistics.median(times), p95, len(times), tuple(statistics.median(burst) for burst in bursts))
