"""Decode every image once, at the training size, into a memory-mapped array that all later runs share."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.audit.fingerprint import FINGERPRINT_VERSION, SIDE, VIEWS
from brain_tumor.data.decoding import decode
from brain_tumor.data.progress import progress
from brain_tumor.data.publish import published_folder
from brain_tumor.data.reading import READING_VERSION, source_file
from brain_tumor.data.samples import read_table, write_table

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageCache:
    """Decoded images and what was learnt while decoding them."""

    images: Picture
    """uint8 [N, size, size], memory-mapped read-only, in the order of the paths."""
    views: Picture
    """Fingerprints, uint8 [N, VIEWS, SIDE, SIDE], likewise."""
    facts: pd.DataFrame
    """One row per path, see `brain_tumor.data.decoding.Decoded`."""
    entry: Path
    """The folder all this lies in."""


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
    images, views = (np.load(entry / f"{name}.npy", mmap_mode="r") for name in ("images", "views"))
    return ImageCache(images, views, read_table(entry / "facts.csv"), entry)


def _key(paths: list[str], size: int) -> str:
    digest = hashlib.sha256(f"{READING_VERSION} {FINGERPRINT_VERSION} {size}".encode())
    for path in paths:
        stat = source_file(path).stat()
        digest.update(f"\n{path} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _build(entry: Path, paths: list[str], size: int) -> None:
    by_file: dict[Path, list[int]] = {}
    for row, path in enumerate(paths):
        by_file.setdefault(source_file(path), []).append(row)
    with published_folder(entry) as draft:
        images, views = (
            np.lib.format.open_memmap(draft / name, "w+", np.uint8, (len(paths), *shape))
            for name, shape in {"images.npy": (size, size), "views.npy": (len(VIEWS), SIDE, SIDE)}.items()
        )
        facts: list[dict[str, str]] = [{}] * len(paths)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            files = pool.map(lambda rows: list(decode([paths[row] for row in rows], size)), by_file.values())
            done = progress(files, "Decoding images", len(by_file))
            for rows, decoded in zip(by_file.values(), done, strict=True):
                for row, one in zip(rows, decoded, strict=True):
                    images[row], views[row], facts[row] = one.square, one.views, one.facts
        images.flush()
        views.flush()
        write_table(pd.DataFrame(facts), draft / "facts.csv")
