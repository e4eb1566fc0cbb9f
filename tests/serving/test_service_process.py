"""The server as a process: it starts, is told to stop or to load its models again, and meets clients that misbehave."""

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import httpx
import pytest
from factories import save
from serving.service_files import Load, serve, server

from brain_tumor.serving.bundle import read_bundle


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return save(tmp_path_factory.mktemp("sent") / "a.png", "glioma", 3).read_bytes()


def test_models_are_replaced_and_accepted_requests_answered(exported, image):
    """SIGHUP under load loses no request; after SIGTERM under load what was accepted is answered, and the exit is 0."""
    with serve(exported, "engine=onnxruntime", "queue.waiting=64") as (process, address):
        load = Load(address, image)
        load.wait_for(20)
        process.send_signal(signal.SIGHUP)
        load.wait_for(len(load.statuses) + 100)
        assert not load.lost
        stopped = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        load.end()

    events = [json.loads(line) for line in log.splitlines()]
    assert process.returncode == 0
    assert set(load.statuses) == {200}
    assert [sent for sent in load.lost if sent < stopped] == []
    version = read_bundle(exported).version
    assert f"Model default is now version {version}." in [event["event"] for event in events]
    answered = [event for event in events if event["event"] == "request" and event["route"] == "/v1/predict"]
    assert len(answered) == len(load.statuses)


def test_clients_that_misbehave_are_sent_away(exported, image):
    options = ("engine=onnxruntime", "limits.header_seconds=1", "limits.upload_seconds=1")
    with serve(exported, *options) as (_, address):
        port = int(address.rpartition(":")[2])

        def answer(*parts, pause=0.0):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)
                return b"".join(iter(lambda: connection.recv(65536), b""))

        post = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        start = time.monotonic()
        assert answer(b"GET /livez HTT", b"P/1.1\r\nHos", pause=0.3) == b""  # headers that never end
        assert time.monotonic() - start < 10
        assert answer(post + b"Content-Length: 1000\r\n\r\nabc").startswith(b"HTTP/1.1 408")
        assert answer(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000).startswith(b"HTTP/1.1 400")
        assert answer(b"\x16\x03\x01 this is no HTTP\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert answer(post + b"Content-Length: 99999999999\r\n\r\nabc").startswith(b"HTTP/1.1 413")
        assert answer(post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n").startswith(b"HTTP/1.1 400")
        assert httpx.post(f"{address}/v1/predict", content=image).status_code == 200


DYING = """
import sys
from functools import partial
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.service.app import build_app
from brain_tumor.serving.service.models import Models
from brain_tumor.serving.service.run import Address, listen, run
from brain_tumor.serving.service.served import Served

def die(pixels):
    raise SystemExit("the worker dies")

address = Address(port=0)
listener = listen(address)
models = Models({"a": sys.argv[1]}, lambda place: Served(read_bundle(place), die))
print("http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
sys.exit(run(build_app(models), models, listener, address))
"""


def test_a_dead_worker_ends_the_process_with_an_error(trained, image):
    with server(sys.executable, "-c", DYING, str(trained)) as (process, address):
        found = httpx.post(f"{address}/v1/predict", content=image)
        assert (found.status_code, "restarts" in found.json()["error"]) == (503, True)
        with suppress(httpx.TransportError):  # it may have ended already
            assert httpx.get(f"{address}/readyz").status_code == 503
        assert process.wait(timeout=30) == 1


def test_an_address_that_is_taken(trained):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "brain_tumor", "serve", f"bundle={trained}", f"port={port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert done.returncode == 2
    assert done.stderr.startswith(f"brain-tumor serve: The server cannot listen at 127.0.0.1:{port} (")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["bundle=nowhere"], "nowhere holds no bundle"),
        (["bundle={run}", "key_file=nowhere"], "key_file=nowhere cannot be read"),
        (["bundle={run}", "port=70000"], "Invalid port=70000: expected 0 to 65535"),
        (["bundle={run}", "point=best"], "best"),
    ],
)
def test_mistakes_are_told_in_one_sentence(trained, options, sentence):
    command = [sys.executable, "-m", "brain_tumor", "serve", "port=0", *(text.format(run=trained) for text in options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
