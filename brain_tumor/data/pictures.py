"""Decoded pictures, wherever they lie: indexed like an array, they give copies."""

from typing import Protocol, overload

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


class Pictures(Protocol):
    """N arrays of one shape, uint8 [N, …], that can be read row by row; a NumPy array is one."""

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, rows: int) -> Picture: ...
    @overload
    def __getitem__(self, rows: Rows | slice) -> Picture: ...
