"""Calls of several threads are computed together, and each gets its own part."""

import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.serving.engines import Outputs
from brain_tumor.serving.service.micro_batching import MicroBatching, WorkerDiedError, calls_of


class Engine:
    """Sums of images; white images are refused, and ``gate`` holds it up."""

    def __init__(self, error=ValueError):
        self.batches, self.gate, self.error = [], threading.Event(), error
        self.gate.set()

    def __call__(self, pixels):
        self.batches.append(len(pixels))
        assert self.gate.wait(10)
        if (pixels == 255).all(axis=(1, 2, 3)).any():
            raise self.error("white")
        sums = pixels.sum(axis=(1, 2, 3), dtype=np.float32)[:, None]
        return Outputs(sums, sums + 1)


def images(*values):
    return np.stack([np.full((1, 4, 4), value, np.uint8) for value in values])


@settings(deadline=None, max_examples=25)
@given(calls=st.lists(st.lists(st.integers(0, 254), min_size=1, max_size=5), min_size=1, max_size=30))
def test_each_call_gets_its_own_part(calls):
    engine = Engine()
    batching = MicroBatching(engine, largest=8, capacity=6)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda values: batching(images(*values)), calls))
    batching.close()

    for values, outputs in zip(calls, found, strict=True):
        assert outputs.logits[:, 0].tolist() == [16 * value for value in values]
        assert outputs.features[:, 0].tolist() == [16 * value + 1 for value in values]
        assert outputs.map is None
    assert max(engine.batches) <= 8
    assert sum(engine.batches) == sum(map(len, calls))


def waiting(batching, count):
    """Wait until so many images wait."""
    end = time.monotonic() + 10
    while batching.waiting != count:
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def held_up():
    """An engine that is busy with a first call, so that further ones wait."""
    engine = Engine()
    batching = MicroBatching(engine)
    engine.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batching, images(1))
        while not engine.batches:
            time.sleep(0.001)
        yield engine, batching, pool
        engine.gate.set()
        assert first.result(10).logits[0, 0] == 16
        if not batching.died:
            batching.close()


def test_waiting_calls_are_joined(held_up):
    engine, batching, pool = held_up
    calls = [pool.submit(batching, images(value)) for value in range(5)]
    waiting(batching, 5)
    engine.gate.set()

    assert sorted(call.result(10).logits[0, 0] for call in calls) == [0, 16, 32, 48, 64]
    assert engine.batches == [1, 5]


def test_a_bad_image_fails_its_own_call_alone(held_up):
    engine, batching, pool = held_up
    calls = [pool.submit(batching, images(value)) for value in (1, 255, 3)]
    waiting(batching, 3)
    engine.gate.set()

    assert calls[0].result(10).logits[0, 0] == 16
    assert calls[2].result(10).logits[0, 0] == 48
    with pytest.raises(ValueError, match="white"):
        calls[1].result(10)


def test_calls_of_who_has_left_are_dropped(held_up):
    engine, batching, pool = held_up
    left = threading.Event()

    def ask():
        with calls_of(left):
            return batching(images(2))

    dropped, kept = pool.submit(ask), pool.submit(batching, images(3))
    waiting(batching, 2)
    left.set()
    engine.gate.set()

    with pytest.raises(CancelledError):
        dropped.result(10)
    assert kept.result(10).logits[0, 0] == 48
    assert engine.batches == [1, 1]


def test_what_waits_is_computed_before_it_closes(held_up):
    engine, batching, pool = held_up
    call = pool.submit(batching, images(5))
    waiting(batching, 1)
    closing = pool.submit(batching.close)
    engine.gate.set()

    assert call.result(10).logits[0, 0] == 80
    closing.result(10)
    with pytest.raises(RuntimeError, match="Closed"):
        batching(images(1))


def test_a_dead_worker_fails_all_that_wait_and_says_so():
    engine = Engine(error=SystemExit)
    batching = MicroBatching(engine, largest=1)
    engine.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(batching, images(255)), *(pool.submit(batching, images(1)) for _ in range(2))]
        waiting(batching, 2)
        engine.gate.set()
        for call in calls:
            with pytest.raises(WorkerDiedError):
                call.result(10)
    assert batching.died
    with pytest.raises(WorkerDiedError):
        batching(images(1))
