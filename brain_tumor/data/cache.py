"""Decode every image once, at the training size, into a memory-mapped array that all later runs share."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import track

from brain_tumor.data.publish import published_folder
from brain_tumor.data.reading import READING_VERSION, read_grey
from brain_tumor.data.samples import read_table, write_table
from brain_tumor.errors import DataError

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageCache:
    """Decoded images and what was learnt while decoding them."""

    images: Picture
    """uint8 [N, size, size], memory-mapped read-only, in the order of the paths."""
    facts: pd.DataFrame
    """One row per path: ``path, sha256`` (of the file), ``pixels`` (digest of the decoded picture), ``error``."""


def fit_square(image: Picture, size: int) -> Picture:
    """Centre a grey picture [H, W] on a black square and resize it to [size, size], keeping its proportions."""
    height, width = image.shape
    scale = size / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = image if inner == (width, height) else cv2.resize(image, inner, interpolation=interpolation)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - inner[1]) // 2, (size - inner[0]) // 2
    square[top : top + inner[1], left : left + inner[0]] = resized
    return square


def cached_images(paths: list[str], size: int, cache_dir: Path) -> ImageCache:
    """Read images from the cache; decode the files first if this list of them, as they are now, never was.

    An entry is keyed by the files' paths, lengths and modification times, the size and the reader's version; it
    appears under ``cache_dir`` only once it is whole.

    Raises:
        DataError: ``cache_dir`` cannot be filled.
    """
    entry = cache_dir / f"images-{_key(paths, size)}"
    if not entry.is_dir():
        _build(entry, paths, size)
    return ImageCache(np.load(entry / "images.npy", mmap_mode="r"), read_table(entry / "facts.csv"))


def _key(paths: list[str], size: int) -> str:
    digest = hashlib.sha256(f"{READING_VERSION} {size}".encode())
    for path in paths:
        stat = Path(path).stat()
        digest.update(f"\n{path} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _build(entry: Path, paths: list[str], size: int) -> None:
    with published_folder(entry) as draft:
        images = np.lib.format.open_memmap(draft / "images.npy", "w+", np.uint8, (len(paths), size, size))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            decoded = pool.map(lambda path: _decode(path, size), paths)
            facts = []
            for row, (picture, fact) in enumerate(track(decoded, "Decoding images", len(paths), transient=True)):
                images[row] = picture
                facts.append(fact)
        images.flush()
        write_table(pd.DataFrame(facts), draft / "facts.csv")


def _decode(path: str, size: int) -> tuple[Picture, dict[str, str]]:
    sha256 = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    fact = {"path": path, "sha256": sha256, "pixels": "", "error": ""}
    try:
        image = read_grey(path)
    except DataError as error:
        return np.zeros((size, size), np.uint8), fact | {"error": str(error)}
    if image.min() < image.max():  # blank pictures tell nothing of whose they are
        fact["pixels"] = hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest()
    return fit_square(image, size), fact
