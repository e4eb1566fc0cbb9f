"""From the map of a localizer to a box in the original image; needs NumPy, OpenCV and pandas alone, as serving does."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.cache.decoding import fitted_size

Maps = npt.NDArray[np.float32]
"""Logits of the cells of maps, [N, h, w]."""
Box = tuple[int, int, int, int]
"""``x0, y0, x1, y1``: left, top, right and bottom edge in pixels; columns from x1 and rows from y1 on are outside."""
BOX = ("x0", "y0", "x1", "y1")
DEFAULT_THRESHOLD = 0.5
"""Probability from which a pixel is marked where validation cannot choose."""


def enlarge(cells: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Enlarge one map, logits [h, w], to probabilities float32 [size, size] in [0, 1]; between cells it is linear."""
    logits = cv2.resize(np.asarray(cells, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def tumour_box(cells: npt.NDArray[np.float32], size: int, threshold: float, shape: tuple[int, int]) -> Box | None:
    """Return the box around the marked region with the most evidence, in pixels of the original image.

    Args:
        cells: Map, logits [h, w].
        size: Height and width of the image that the network saw, in pixels.
        threshold: Probability from which a pixel is marked.
        shape: Height and width of the original image, which was resized and centred by
            `brain_tumor.data.cache.decoding.fit_square`.

    Returns:
        ``(x0, y0, x1, y1)`` with 0 ≤ x0 < x1 ≤ width and 0 ≤ y0 < y1 ≤ height; None if no pixel is marked.
    """
    probability = enlarge(cells, size)
    _, regions = cv2.connectedComponents((probability >= threshold).astype(np.uint8))
    evidence = np.bincount(regions.ravel(), probability.ravel())
    evidence[0] = 0
    if not evidence.any():
        return None
    y, x = np.nonzero(regions == evidence.argmax())
    width, height = fitted_size(shape, size)
    spans = []
    for near, fitted, original in ((x, width, shape[1]), (y, height, shape[0])):
        margin, scale = (size - fitted) // 2, original / fitted
        low = np.clip(np.floor((near.min() - margin) * scale), 0, original - 1)
        spans.append((int(low), int(np.clip(np.ceil((near.max() + 1 - margin) * scale), low + 1, original))))
    (x0, x1), (y0, y1) = spans
    return x0, y0, x1, y1


def with_boxes(
    table: pd.DataFrame, maps: Maps, shapes: Sequence[tuple[int, int]], size: int, threshold: float
) -> pd.DataFrame:
    """Add to a predictions table of N images where a tumour is seen: ``map_peak, map_area, x0, y0, x1, y1``.

    Args:
        table: Predictions table.
        maps: Maps [N, h, w].
        shapes: Height and width of each original image, in whose pixels the boxes are, see `tumour_box`.
        size: Height and width of the images that the network saw, in pixels.
        threshold: Probability from which a pixel is marked.
    """
    records = []
    for cells, shape in zip(maps, shapes, strict=True):
        probability, box = enlarge(cells, size), tumour_box(cells, size, threshold, shape)
        record = {"map_peak": float(probability.max()), "map_area": float((probability >= threshold).mean())}
        records.append(record | dict(zip(BOX, box or (pd.NA,) * len(BOX), strict=True)))
    columns = pd.DataFrame(records, index=table.index, columns=["map_peak", "map_area", *BOX])
    return table.join(columns.astype(dict.fromkeys(BOX, "Int64")))
