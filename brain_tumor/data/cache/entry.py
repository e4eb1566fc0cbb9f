"""One entry of the cache: a folder of images, fingerprints and facts, with checksums that prove it undamaged."""

import hashlib
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.fingerprint import SIDE, VIEWS
from brain_tumor.data.images import StoredArray
from brain_tumor.data.samples import read_table, write_table
from brain_tumor.errors import DataError
from brain_tumor.types import GreyImage

_BLOCK = 256
"""Number of images that a thread checks at a time."""
_ARRAYS = ("images", "views")
_TABLES = ("facts.csv", "checksums.npy")


class DamagedEntryError(Exception):
    """An entry is incomplete or was changed; its images have to be decoded again."""


@dataclass(frozen=True)
class Entry:
    """An undamaged entry, opened for reading."""

    folder: Path
    recipe: str
    """Everything that the images depend on besides their files."""
    images: StoredArray
    """uint8 [N, size, size]."""
    views: StoredArray
    """Fingerprints, uint8 [N, VIEWS, SIDE, SIDE]."""
    facts: pd.DataFrame
    """One row per image, all columns text."""
    checksums: npt.NDArray[np.uint32]
    """CRC-32 of each image and of its fingerprint, [N, 2]."""

    @classmethod
    def open(cls, folder: Path, *, verify_images: bool = True) -> Self:
        """Open an entry and verify it.

        Args:
            folder: Folder of the entry.
            verify_images: Whether the checksum of every image is verified, at some 2 GB/s; lengths and tables are
                always verified.

        Raises:
            FileNotFoundError: The folder does not exist.
            DamagedEntryError: A file is missing or was changed.
        """
        if not folder.is_dir():
            raise FileNotFoundError(folder)
        try:
            seal = json.loads((folder / "seal.json").read_text(encoding="utf-8"))
            images, views = (StoredArray(folder / f"{name}.npy") for name in _ARRAYS)
            if seal["tables"] != _tables_digest(folder):
                raise ValueError("the digest of its tables has changed")
            facts, checksums = read_table(folder / "facts.csv"), np.load(folder / "checksums.npy")
            entry = cls(folder, str(seal["recipe"]), images, views, facts, checksums)
            if not len(images) == len(views) == len(facts) == len(checksums):
                raise ValueError("its arrays and tables differ in length")
        except (OSError, ValueError, LookupError, TypeError, DataError) as error:
            raise DamagedEntryError(f"The cache entry {folder} is damaged: {error}") from error
        if verify_images:
            changed = entry.count_changed()
            if changed:
                raise DamagedEntryError(
                    f"The cache entry {folder} is damaged: {changed} of {len(images)} images have changed"
                )
        return entry

    def count_changed(self) -> int:
        """Count the images that, themselves or their fingerprints, do not match their checksums."""
        with ThreadPoolExecutor() as pool:
            return sum(pool.map(self._count_changed_in_block, range(0, len(self.images), _BLOCK)))

    def _count_changed_in_block(self, start: int) -> int:
        rows = range(start, min(start + _BLOCK, len(self.images)))
        return sum(self.read_verified(row) is None for row in rows)

    def read_verified(self, row: int) -> tuple[GreyImage, GreyImage] | None:
        """Read an image and its fingerprint; None if they do not match their checksums."""
        image, views = self.images[row], self.views[row]
        return (image, views) if _checksums(image, views) == tuple(self.checksums[row].tolist()) else None

    def mark_used(self) -> None:
        """Record the time of use, which decides what `brain_tumor.data.cache.eviction` removes."""
        with suppress(OSError):  # the cache may be read-only
            (self.folder / "used").touch()


class EntryDraft:
    """An entry under construction; its rows are set in any order.

    Args:
        folder: Empty folder.
        images: Number of images.
        size: Height and width of the images in pixels.
    """

    def __init__(self, folder: Path, images: int, size: int) -> None:
        self._folder = folder
        shapes = {"images": (size, size), "views": (len(VIEWS), SIDE, SIDE)}
        self._images, self._views = (
            StoredArray.create(folder / f"{name}.npy", (images, *shapes[name])) for name in _ARRAYS
        )
        self._facts: list[dict[str, str]] = [{}] * images
        self._checksums = np.zeros((images, 2), np.uint32)

    def set_row(self, row: int, image: GreyImage, views: GreyImage, facts: dict[str, str]) -> None:
        """Write the image, fingerprint and facts of one row."""
        self._images[row], self._views[row], self._facts[row] = image, views, facts
        self._checksums[row] = _checksums(image, views)

    def seal(self, recipe: str) -> None:
        """Write the tables and their digest, once all rows are set.

        Args:
            recipe: Everything that the images depend on besides their files.
        """
        write_table(pd.DataFrame(self._facts), self._folder / "facts.csv")
        np.save(self._folder / "checksums.npy", self._checksums)
        seal = {"recipe": recipe, "tables": _tables_digest(self._folder)}
        (self._folder / "seal.json").write_text(json.dumps(seal), encoding="utf-8")


def _checksums(image: GreyImage, views: GreyImage) -> tuple[int, int]:
    return zlib.crc32(image.data), zlib.crc32(views.data)


def _tables_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in _TABLES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
