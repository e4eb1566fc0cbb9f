"""A served model: the answers of the predictor, to several clients at once, within bounds."""

import asyncio
import threading
import time
from pathlib import PurePosixPath

import numpy as np
import pytest
from factories import CENTRES, save

from brain_tumor import Predictor
from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.engines import open_engine
from brain_tumor.serving.service.limits import Limits
from brain_tumor.serving.service.served import BusyError, ClientLeftError, Queue, Served, TimedOutError


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sent")
    paths = [save(folder / f"{label}.png", label, 9) for label in CENTRES]
    return [MemoryFile(PurePosixPath(path.name), path.read_bytes()) for path in paths]


class Slow:
    """An engine that waits until it is let go, and counts its calls."""

    def __init__(self, bundle):
        self.engine, self.gate, self.images = open_engine(bundle, "torch"), threading.Event(), 0

    def __call__(self, pixels):
        self.images += len(pixels)
        assert self.gate.wait(20)
        return self.engine(pixels)


@pytest.fixture
def slow(trained):
    bundle = read_bundle(trained)
    engine = Slow(bundle)
    served = Served(bundle, engine, Limits(seconds=10), Queue(working=2, waiting=1))
    yield served, engine
    engine.gate.set()
    served.close()


async def stays():
    return False


def kept(study, memory):
    return study


async def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def test_many_clients_get_the_answers_of_the_predictor(trained, files):
    served, predictor = Served.load(trained), Predictor.load(trained)

    async def all_of_them():
        return await asyncio.gather(*(served.answer([file], stays, kept) for file in files * 5))

    found = asyncio.run(all_of_them())
    served.close()

    for file, study in zip(files * 5, found, strict=True):
        (answer,) = study.images
        expected = predictor(file)
        assert (answer.name, answer.prediction, answer.decision) == (str(file), expected.prediction, expected.decision)
        np.testing.assert_allclose([*answer.probabilities.values()], [*expected.probabilities.values()], atol=1e-5)


def test_a_bad_file_is_left_out_by_name(trained, files):
    served = Served.load(trained)
    bad = MemoryFile(PurePosixPath("bad.png"), b"no image")

    study = asyncio.run(served.answer([bad, *files], stays, kept))
    served.close()

    assert len(study.images) == len(files)
    assert list(study.left_out) == ["bad.png"]


def test_more_requests_than_may_wait_are_refused(slow, files):
    served, engine = slow

    async def one():
        with served.admitted():
            return await served.answer(files[:1], stays, kept)

    async def four():
        asked = [asyncio.ensure_future(one()) for _ in range(3)]
        await until(lambda: served.requests == 3)
        with pytest.raises(BusyError, match="3 requests wait already"):
            await one()
        engine.gate.set()
        return await asyncio.gather(*asked)

    assert len(asyncio.run(four())) == 3
    assert served.requests == 0


def test_nothing_is_computed_for_who_has_left(slow, files):
    served, engine = slow
    gone = []

    async def has_left():
        return bool(gone)

    async def two():
        first = asyncio.ensure_future(served.answer(files[:1], stays, kept))
        await until(lambda: engine.images == 1)
        second = asyncio.ensure_future(served.answer(files[1:2], has_left, kept))
        await until(lambda: served._batching.waiting == 1)
        gone.append(1)
        with pytest.raises(ClientLeftError):
            await second
        engine.gate.set()
        await first

    asyncio.run(two())
    served._pool.shutdown()
    assert engine.images == 1


def test_a_request_that_takes_too_long_is_given_up(trained, files):
    bundle = read_bundle(trained)
    engine = Slow(bundle)
    served = Served(bundle, engine, Limits(seconds=0.05))

    with pytest.raises(TimedOutError, match=r"No answer within 0\.05 s"):
        asyncio.run(served.answer(files, stays, kept))
    engine.gate.set()
    served.close()
