"""The server beside its engine, and beside a plain application that runs one inference per request.

Clients send JPEG files over kept connections, each its next request once it has its answer. They share the cores of the
machine with the server and its engine: the figures hold for a machine of this size. The engine is measured on images in
memory; the servers get files, which they also decode.
"""

import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from brain_tumor.data.phantom import draw_patients, render
from brain_tumor.export import export
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.engines import cores, open_engine
from brain_tumor.serving.images import prepare_image
from brain_tumor.serving.inference import BATCH_SIZE
from brain_tumor.serving.latency import interleaved
from brain_tumor.train import train

MODEL = [
    "model=resnet18", "model.pretrained=false", "data.image_size=224", "data.patients=40", "data.slices=1",
    "optimizer.lr=1e-3", "trainer.max_epochs=1",
]  # fmt: skip
"""Trained on phantoms for a moment: time does not depend on how well."""
CLIENTS = (1, 8, 32, 64)
SIDE = 256
"""Height and width of the images that are sent."""
SHARE, SLOWER, GROWTH = 0.8, 1.5, 0.05
"""What is asked for: least share of the engine's throughput, most p95 of one client over the engine's own latency with
decoding, and most growth of memory."""
PLAIN = """
import sys, socket
import cv2, numpy as np, uvicorn
from fastapi import FastAPI, UploadFile
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.engines import open_engine
from brain_tumor.serving.images import prepare_image

bundle = read_bundle(sys.argv[1])
engine = open_engine(bundle, "onnxruntime")
app = FastAPI()

@app.post("/v1/predict")
def predict(files: UploadFile):
    pixels = prepare_image(files.file.read(), bundle.image_size).image
    return engine(pixels[None, None]).logits.tolist()

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
listener.listen(2048)
print("http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listener])
"""


def measure(
    seconds: float = 10.0, requests: int = 10_000, model: Sequence[str] = MODEL, clients: Sequence[int] = CLIENTS
) -> dict[str, Any]:
    """Measure for ``seconds`` each; then send ``requests`` good requests, and as many hostile ones."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        with redirect_stdout(StringIO()):
            train([*model, "callbacks=[]", "evaluation.resamples=20"], run)
            export([f"bundle={run}"], Path(folder) / "log")
        files = [_jpeg(number) for number in range(64)]
        found = {"image_size": read_bundle(run).image_size, "cores": cores(), "engine": _engine(run, files, seconds)}
        with _server(sys.executable, "-c", PLAIN, str(run)) as (_, port):
            found["plain"] = {str(n): _load(port, files, n, seconds) for n in clients}
        command = (sys.executable, "-m", "brain_tumor", "serve", f"bundle={run}", "port=0", "engine=onnxruntime")
        with _server(*command, "queue.waiting=100") as (_, port):
            found["server"] = {str(n): _load(port, files, n, seconds) for n in clients}
        with _server(*command, "queue.waiting=4") as (process, port):
            found["good"] = _many(process, port, files, requests)
        with _server(*command) as (process, port):  # none is told to come again: each is looked at
            found["hostile"] = _many(process, port, hostile(files[0]), requests)
        found["predict"] = _predict(run, Path(folder), files)
    return found


def _jpeg(number: int) -> bytes:
    image, _ = render(draw_patients(64, seed=1)[number], 0, SIDE)
    return cv2.imencode(".jpg", image)[1].tobytes()


def _engine(run: Path, files: Sequence[bytes], seconds: float) -> dict[str, float]:
    """Throughput in full batches of images in memory, and the latency of decoding and predicting one file."""
    bundle = read_bundle(run)
    engine = open_engine(bundle, "onnxruntime")
    pixels = np.stack([prepare_image(content, bundle.image_size).image for content in files])[:BATCH_SIZE, None]
    times = interleaved(
        {
            "batch": lambda: engine(pixels),
            "one": lambda: engine(prepare_image(files[0], bundle.image_size).image[None, None]),
        },
        seconds=seconds,
    )
    one = times["one"]
    return {"images_per_second": len(pixels) / times["batch"].median, "p50": one.median, "p95": one.p95}


def _predict(run: Path, folder: Path, files: Sequence[bytes], images: int = 1000) -> dict[str, float]:
    """Images a second of `brain-tumor predict` on a folder of files, without its start, beside the engine's."""
    from brain_tumor.data.samples import samples_table
    from brain_tumor.serving.files import predict_images
    from brain_tumor.serving.predictor import Predictor

    paths = []
    for number in range(images):
        path = folder / f"{number}.jpg"
        path.write_bytes(files[number % len(files)])
        paths.append(str(path))
    predictor = Predictor.load(run, "onnxruntime")
    samples = samples_table([{"path": path, "sample_id": path} for path in paths])
    predict_images(predictor, samples.head(64), BATCH_SIZE)
    bundle = read_bundle(run)
    engine = open_engine(bundle, "onnxruntime")
    pixels = np.stack([prepare_image(content, bundle.image_size).image for content in files])[:BATCH_SIZE, None]
    shares, speeds = [], []
    for _ in range(3):  # in turn, so that a busy machine slows both alike
        start = time.perf_counter()
        predict_images(predictor, samples, BATCH_SIZE)
        middle = time.perf_counter()
        for _ in range(images // BATCH_SIZE):
            engine(pixels)
        end = time.perf_counter()
        speeds.append(images / (middle - start))
        shares.append(speeds[-1] / (images // BATCH_SIZE * BATCH_SIZE / (end - middle)))
    return {"images_per_second": statistics.median(speeds), "share": statistics.median(shares)}


@contextmanager
def _server(*command: str) -> "Iterator[tuple[subprocess.Popen[str], int]]":
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            port = int(re.search(r":(\d+)$", line.strip())[1])  # type: ignore[index]
            end = time.monotonic() + 60
            while True:
                try:
                    with _connection(port) as connection:
                        _post(connection, _form([b"x"]))
                    break
                except OSError:
                    assert time.monotonic() < end
                    time.sleep(0.05)
            yield process, port
        finally:
            process.terminate()
            process.communicate()


def _form(files: Sequence[bytes], name: str = "scan.jpg") -> bytes:
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n%b\r\n' % (name.encode(), content)
        for content in files
    ]
    return b"".join(parts) + b"--b--\r\n"


def _connection(port: int) -> "closing[http.client.HTTPConnection]":
    return closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120))


def _post(connection: http.client.HTTPConnection, body: bytes) -> int:
    connection.request("POST", "/v1/predict", body, {"Content-Type": "multipart/form-data; boundary=b"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _load(port: int, files: Sequence[bytes], clients: int, seconds: float) -> dict[str, float]:
    """Images a second, and quantiles of the latency, of so many clients."""
    bodies = [_form([content]) for content in files]
    times: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    def ask(first: int) -> None:
        with _connection(port) as connection:
            number = first
            while time.perf_counter() < end:
                start = time.perf_counter()
                statuses[_post(connection, bodies[number % len(bodies)])] += 1
                times.append(time.perf_counter() - start)
                number += 1

    start = time.perf_counter()
    _together(ask, clients)
    taken = time.perf_counter() - start
    assert set(statuses) == {200}, statuses
    quantiles = statistics.quantiles(times, n=20, method="inclusive")
    return {"images_per_second": len(times) / taken, "p50": statistics.median(times), "p95": quantiles[-1]}


def _many(process: "subprocess.Popen[str]", port: int, files: Sequence[bytes], requests: int) -> dict[str, Any]:
    """Send many requests by 16 clients; a client told to come again waits a moment, and another request follows."""
    bodies = [_form([content]) for content in files]
    statuses: Counter[int] = Counter()
    memory: list[int] = []

    def ask(first: int) -> None:
        with _connection(port) as connection:
            for number in range(first, requests, 16):
                statuses[_post(connection, bodies[number % len(bodies)])] += 1
                if first == 0 and number % (requests // 20 // 16 * 16) == 0:
                    memory.append(_resident(process.pid))

    _together(ask, 16)
    assert process.poll() is None
    settled = memory[len(memory) // 4 :]  # caches and threads are filled by then
    return {
        "requests": sum(statuses.values()),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "megabytes": round(statistics.median(settled) / 1e6),
        "growth": settled[-1] / settled[0] - 1,
    }


def hostile(good: bytes) -> list[bytes]:
    """Files that are damaged, of no known kind, or promise more than a server can unpack."""
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (20_000).to_bytes(4) * 2 + b"\x08\x00\x00\x00\x00"
    rng = np.random.default_rng(0)
    changed = []
    for _ in range(3):
        content = bytearray(good)
        for place in rng.integers(0, len(content), 20):
            content[place] = rng.integers(256)
        changed.append(bytes(content))
    return [b"", b"<html>", header, header + bytes(4000), good[:100], good[: len(good) // 2], bytes(5000), *changed]


def _together(ask: Any, clients: int) -> None:
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def tell(found: dict[str, Any]) -> None:
    """Print what was measured beside what is asked for."""
    engine = found["engine"]
    print(f"  {found['image_size']} px, {found['cores']} cores; engine: {engine['images_per_second']:.0f} images/s in")
    print(f"  batches of {BATCH_SIZE}; one file decoded and predicted: p50 {1e3 * engine['p50']:.1f} ms")
    print("  clients   server: images/s  of engine's   p50 ms   p95 ms   plain: images/s   p50 ms   p95 ms")
    for clients, ours in found["server"].items():
        plain, share = found["plain"][clients], ours["images_per_second"] / engine["images_per_second"]
        print(
            f"  {clients:>7} {ours['images_per_second']:>18.0f} {share:>12.2f} {1e3 * ours['p50']:>8.1f} "
            f"{1e3 * ours['p95']:>8.1f} {plain['images_per_second']:>17.0f} {1e3 * plain['p50']:>8.1f} "
            f"{1e3 * plain['p95']:>8.1f}"
        )
    best = max(ours["images_per_second"] for ours in found["server"].values()) / engine["images_per_second"]
    slower = found["server"]["1"]["p95"] / engine["p95"]
    print(f"  best share of the engine's throughput {best:.2f} (asked: {SHARE}); p95 of one client over the engine's")
    print(f"  with decoding {slower:.2f} (asked: {SLOWER})")
    for kind in ("good", "hostile"):
        many = found[kind]
        print(
            f"  {many['requests']:,} {kind} requests: statuses {json.dumps(many['statuses'])}, {many['megabytes']} MB, "
            f"growth {100 * many['growth']:+.1f} % (asked: ± {100 * GROWTH:.0f} %)"
        )
    predict = found["predict"]
    print(
        f"  predict, 1,000 files: {predict['images_per_second']:.0f} images/s, {predict['share']:.2f} of the engine's "
        f"(asked: {SHARE})"
    )
