"""One entry of the cache: images, fingerprints and facts in a folder, with what proves that they are whole."""

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
_ARRAYS = ("images", "views")
_TABLES = ("facts.csv", "checksums.npy")


class Damage(Exception):  # noqa: N818 - no error: whoever meets it decodes again
    """An entry is not what it was when it was made; the message says which, and how."""


@dataclass(frozen=True)
class Entry:
    """A whole entry."""

    folder: Path
    recipe: str
    """What the images depend on besides their files."""
    images: StoredArray
    """uint8 [N, size, size]."""
    views: StoredArray
    """Fingerprints, uint8 [N, VIEWS, SIDE, SIDE]."""
    facts: pd.DataFrame
    """One row per image, all text."""
    checksums: npt.NDArray[np.uint32]
    """CRC-32 of each image and of its fingerprint, [N, 2]."""

    @classmethod
    def open(cls, folder: Path, *, contents: bool = True) -> Self:
        """Open an entry and prove that it is whole.

        Args:
            folder: Of the entry.
            contents: Check every image, too; it reads them at some 2 GB/s, and is left out only where nothing is
                made of what they show. Lengths and tables are always checked.

        Raises:
            FileNotFoundError: There is no such folder.
            Damage: Something is missing, or not what it was.
        """
        if not folder.is_dir():
            raise FileNotFoundError(folder)
        try:
            seal = json.loads((folder / "seal.json").read_text(encoding="utf-8"))
            images, views = (StoredArray(folder / f"{name}.npy") for name in _ARRAYS)
            if seal["tables"] != _tables_digest(folder):
                raise ValueError("its tables have changed")
            entry = cls(
                *(folder, str(seal["recipe"]), images, views),
                *(read_table(folder / "facts.csv"), np.load(folder / "checksums.npy")),
            )
            if not len(images) == len(views) == len(entry.facts) == len(entry.checksums):
                raise ValueError("its parts differ in length")
        except (OSError, ValueError, LookupError, TypeError, DataError) as error:
            raise Damage(f"The cache entry {folder} is damaged: {error}") from error
        if contents and (wrong := entry.wrong()):
            raise Damage(f"The cache entry {folder} is damaged: {wrong} of {len(images)} images have changed")
        return entry

    def wrong(self) -> int:
        """How many images, or their fingerprints, are not what they were."""
        with ThreadPoolExecutor() as pool:
            return sum(pool.map(self._wrong, range(0, len(self.images), _BLOCK)))

    def _wrong(self, start: int) -> int:
        rows = range(start, min(start + _BLOCK, len(self.images)))
        return sum(self.whole(row) is None for row in rows)

    def whole(self, row: int) -> tuple[GreyImage, GreyImage] | None:
        """A image and its fingerprint; None if they are not what they were."""
        both = self.images[row], self.views[row]
        return both if checksums(*both) == tuple(self.checksums[row].tolist()) else None

    def touch(self) -> None:
        """Note that the entry is in use, for `brain_tumor.data.cache.eviction`."""
        with suppress(OSError):  # the cache may be read-only
            (self.folder / "used").touch()


class EntryDraft:
    """An entry that is being filled, row by row in any order.

    Args:
        folder: Empty.
        images: How many there will be.
        size: Their side.
    """

    def __init__(self, folder: Path, images: int, size: int) -> None:
        self._folder = folder
        shapes = {"images": (size, size), "views": (len(VIEWS), SIDE, SIDE)}
        self._images, self._views = (
            StoredArray.create(folder / f"{name}.npy", (images, *shapes[name])) for name in _ARRAYS
        )
        self._facts: list[dict[str, str]] = [{}] * images
        self._checksums = np.zeros((images, 2), np.uint32)

    def put(self, row: int, image: GreyImage, views: GreyImage, facts: dict[str, str]) -> None:
        """Fill one row."""
        self._images[row], self._views[row], self._facts[row] = image, views, facts
        self._checksums[row] = checksums(image, views)

    def seal(self, recipe: str) -> None:
        """Write the tables, and what proves that all is whole."""
        write_table(pd.DataFrame(self._facts), self._folder / "facts.csv")
        np.save(self._folder / "checksums.npy", self._checksums)
        seal = {"recipe": recipe, "tables": _tables_digest(self._folder)}
        (self._folder / "seal.json").write_text(json.dumps(seal), encoding="utf-8")


def checksums(image: GreyImage, views: GreyImage) -> tuple[int, int]:
    """CRC-32 of both."""
    return zlib.crc32(image.data), zlib.crc32(views.data)


def _tables_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in _TABLES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
