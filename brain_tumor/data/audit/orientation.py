"""The four ways a picture is found mirrored: not, left–right, upside down, and both (turned by half)."""

from typing import Any

import numpy as np
import numpy.typing as npt

ORIENTATIONS = (0, 1, 2, 3)
"""Bit 0: mirrored left–right; bit 1: upside down. Each is its own inverse."""


def mirror(views: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Mirror pictures along their last two axes; a view, nothing is copied."""
    rows = slice(None, None, -1 if orientation & 2 else 1)
    columns = slice(None, None, -1 if orientation & 1 else 1)
    return views[..., rows, columns]


def unit(views: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Mean-free vectors of unit length [N, …] → float32 [N, D]: a dot product of two is their correlation."""
    flat = views.reshape(len(views), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))
