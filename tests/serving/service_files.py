"""What tests of the server send, and the server as a process."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
from data.readers.clinical import ball, write_nifti, write_series
from factories import CENTRES, save

START = 120
"""Seconds within which a server must answer."""


@contextmanager
def server(*command: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server of these arguments: its process and address."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert "http" in line, process.stderr.read()
        address = re.search(r"http://[0-9.]+:\d+", line).group()
        end = time.monotonic() + START
        while True:
            try:
                assert httpx.get(f"{address}/readyz").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < end
                time.sleep(0.05)
        yield process, address
    finally:
        process.kill()
        process.communicate()


def serve(run: Path, *options: str) -> AbstractContextManager[tuple["subprocess.Popen[str]", str]]:
    """A server of a model."""
    return server(sys.executable, "-m", "brain_tumor", "serve", f"bundle={run}", "port=0", *options)


class Load:
    """Clients that ask again and again until the server is gone."""

    def __init__(self, address: str, image: bytes, clients: int = 6) -> None:
        self.address, self.image = address, image
        self.statuses: list[int] = []
        self.lost: list[float] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        end = time.monotonic() + START
        while len(self.statuses) < count:
            assert time.monotonic() < end
            time.sleep(0.01)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._stop.is_set():
                sent = time.monotonic()
                try:
                    self.statuses.append(client.post(f"{self.address}/v1/predict", content=self.image).status_code)
                except httpx.TransportError:
                    self.lost.append(sent)
                    return


def write_scans(folder: Path) -> list[Path]:
    """Four images, a NIfTI volume and a DICOM series."""
    images = [save(folder / f"{label}.png", label, 7) for label in CENTRES]
    volume = write_nifti(folder / "t1.nii.gz", ball())
    write_series(folder / "series")
    return [*images, volume, *sorted((folder / "series").iterdir())]


def form(paths: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    """Files as httpx sends them."""
    return [("files", (path.name, path.read_bytes())) for path in paths]
