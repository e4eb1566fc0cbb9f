"""Decoded images, wherever they lie: indexed by rows like an array, they give copies.

What lies on disk is read, not mapped: pages of a map count as this process's memory until the system takes them back,
so that a training would seem to grow with its data.
"""

import os
import weakref
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from brain_tumor.errors import DataError
from brain_tumor.types import GreyImage, Rows


class Images(Protocol):
    """N arrays of one shape, uint8 [N, …]; a NumPy array is one, too."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> GreyImage:
        """One row (an int), several (a slice or int64 [K]), or ``(rows, n)``: of each of them the n-th part."""


def places(rows: Any, n: int) -> Rows:
    """The numbers that an index means among ``n`` rows, int64 [] or [K], as NumPy counts: from the end, too.

    Raises:
        IndexError: There is no such row.
    """
    chosen = np.arange(*rows.indices(n)) if isinstance(rows, slice) else np.asarray(rows, np.int64)
    if chosen.size and not -n <= chosen.min() <= chosen.max() < n:
        raise IndexError(f"There are {n} rows; {rows} was asked for.")
    return np.where(chosen < 0, chosen + n, chosen)


class StoredArray:
    """uint8 [N, …] in a ``.npy`` file that may be larger than memory; safe to share with forked processes.

    Args:
        path: Of the file.
        writable: Rows can be set, too.

    Raises:
        ValueError: It is no such file, or its length is not what its header says.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            self.shape, by_columns, kind = np.lib.format.read_array_header_1_0(file)
            self._start = file.tell()
        self._row = int(np.prod(self.shape[1:]))
        if by_columns or kind != np.uint8 or os.fstat(self._file).st_size != self._start + len(self) * self._row:
            raise ValueError(f"{path} is not whole")

    @classmethod
    def create(cls, path: Path, shape: tuple[int, ...]) -> "StoredArray":
        """A new file full of zeros."""
        with path.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + int(np.prod(shape)))
        return cls(path, writable=True)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return len(self) * self._row

    def __getitem__(self, rows: Any) -> GreyImage:
        rows, part = rows if isinstance(rows, tuple) else (rows, None)
        shape = self.shape[1:] if part is None else self.shape[2:]
        size = int(np.prod(shape))
        chosen = places(rows, len(self))
        found = np.empty((chosen.size, *shape), np.uint8)
        for one, row in zip(found, chosen.ravel().tolist(), strict=True):
            start = self._start + row * self._row + (part or 0) * size
            if os.preadv(self._file, [one], start) != size:
                raise DataError(f"{self._path} was cut short while it was read; start again.")
        return found.reshape(*chosen.shape, *shape)

    def __setitem__(self, row: int, image: GreyImage) -> None:
        os.pwrite(self._file, np.ascontiguousarray(image).data, self._start + row * self._row)

    def __reduce__(self) -> Any:
        return StoredArray, (self._path,)


class Chosen:
    """Some rows of other images, in a given order; nothing is copied."""

    def __init__(self, images: Images, rows: Rows) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> GreyImage:
        if isinstance(rows, tuple):
            return self._images[self._rows[rows[0]], rows[1]]
        return self._images[self._rows[rows]]
