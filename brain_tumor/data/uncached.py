"""Pictures of which nothing is written: kept in memory, or decoded whenever one is looked at."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.data.audit.fingerprint import SIDE, VIEWS
from brain_tumor.data.decoding import decode_all, fit_square
from brain_tumor.data.pictures import Picture, Pictures, places
from brain_tumor.data.reading import read_grey


class DecodedAnew:
    """uint8 [N, size, size], read from its file at each look; slices of large volumes are slow that way.

    Args:
        paths: Files, or slices of volumes.
        size: Side of the pictures.
    """

    def __init__(self, paths: Sequence[str], size: int) -> None:
        self._paths, self._size = paths, size

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, rows: Any) -> Picture:
        """As `brain_tumor.data.pictures.Pictures`.

        Raises:
            DataError: A file cannot be read any more.
        """
        chosen = places(rows, len(self))
        found = np.empty((chosen.size, self._size, self._size), np.uint8)
        for one, row in zip(found, chosen.ravel().tolist(), strict=True):
            one[:] = fit_square(read_grey(self._paths[row]), self._size)
        return found.reshape(*chosen.shape, *found.shape[1:])


def in_memory(paths: Sequence[str], size: int, *, keep: bool) -> tuple[Pictures, Picture, pd.DataFrame]:
    """Decode all files once: their pictures (kept in memory, or to be decoded anew), fingerprints and facts."""
    images = np.zeros((len(paths) if keep else 0, size, size), np.uint8)
    views = np.zeros((len(paths), len(VIEWS), SIDE, SIDE), np.uint8)
    facts: list[dict[str, str]] = [{}] * len(paths)
    for row, one in decode_all(paths, size):
        views[row], facts[row] = one.views, one.facts
        if keep:
            images[row] = one.square
    return images if keep else DecodedAnew(paths, size), views, pd.DataFrame(facts)
