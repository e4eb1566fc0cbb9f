"""Arrays of decoded images, in memory or on disk, that are indexed by rows like NumPy arrays and return copies.

Images on disk are read, not memory-mapped: the pages of a map count as memory of the process until the system reclaims
them, so that a training would seem to grow with its data.
"""

import os
import weakref
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from brain_tumor.errors import DataError
from brain_tumor.types import GreyImage, Rows


class Images(Protocol):
    """N arrays of one shape, uint8 [N, …]; NumPy arrays fulfil the protocol."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> GreyImage:
        """Return one row (int), several (slice or int64 [K]), or for ``(rows, n)`` the n-th element of each of them."""


def row_numbers(rows: Any, n: int) -> Rows:
    """Resolve an index (int, slice or int64 [K]) into row numbers, int64 [] or [K]; negative ones count from the end.

    Args:
        rows: Index.
        n: Number of rows.

    Raises:
        IndexError: A row does not exist.
    """
    numbers = np.arange(*rows.indices(n)) if isinstance(rows, slice) else np.asarray(rows, np.int64)
    if numbers.size and not -n <= numbers.min() <= numbers.max() < n:
        raise IndexError(f"Invalid rows {rows}: expected rows from {-n} to {n - 1}")
    return np.where(numbers < 0, numbers + n, numbers)


class StoredArray:
    """Array uint8 [N, …] in a ``.npy`` file that may be larger than memory; safe to share with forked processes.

    Args:
        path: Path of the file.
        writable: Whether rows can be set.

    Raises:
        ValueError: The file is not such an array, or its length does not match its header.
        OSError: The file cannot be read.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            self.shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
            self._data_start = file.tell()
        self._row_size = int(np.prod(self.shape[1:]))
        file_size = os.fstat(self._file).st_size
        if fortran_order or dtype != np.uint8 or file_size != self._data_start + self.nbytes:
            raise ValueError(f"{path} is incomplete or not a uint8 array in C order")

    @classmethod
    def create(cls, path: Path, shape: tuple[int, ...]) -> "StoredArray":
        """Create a file full of zeros and open it for writing."""
        with path.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + int(np.prod(shape)))
        return cls(path, writable=True)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Size of all rows in bytes."""
        return len(self) * self._row_size

    def __getitem__(self, rows: Any) -> GreyImage:
        rows, element = rows if isinstance(rows, tuple) else (rows, None)
        shape = self.shape[1:] if element is None else self.shape[2:]
        size = int(np.prod(shape))
        numbers = row_numbers(rows, len(self))
        images = np.empty((numbers.size, *shape), np.uint8)
        for image, row in zip(images, numbers.ravel().tolist(), strict=True):
            start = self._data_start + row * self._row_size + (element or 0) * size
            if os.preadv(self._file, [image], start) != size:
                raise DataError(f"{self._path} was truncated while it was being read; restart the command.")
        return images.reshape(*numbers.shape, *shape)

    def __setitem__(self, row: int, image: GreyImage) -> None:
        os.pwrite(self._file, np.ascontiguousarray(image).data, self._data_start + row * self._row_size)

    def __reduce__(self) -> Any:
        return StoredArray, (self._path,)


class ImageRows:
    """Some rows of other images, in a given order and without a copy.

    Args:
        images: Images to select from.
        rows: int64 [K], selected rows.
    """

    def __init__(self, images: Images, rows: Rows) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> GreyImage:
        if isinstance(rows, tuple):
            return self._images[self._rows[rows[0]], rows[1]]
        return self._images[self._rows[rows]]
