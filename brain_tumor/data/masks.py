"""Masks of tumours as squares that lie exactly over their images, and the head as a mask."""

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from brain_tumor.data.cache.decoding import fit_square, inner_size
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import read, read_grey
from brain_tumor.errors import DataError

Mask = npt.NDArray[np.bool_]
_LOSSY = ("JPEG", "WEBP")  # their zeros are not quite 0
_DARK = 10


def read_masks(samples: pd.DataFrame, size: int) -> tuple[npt.NDArray[np.int64], Mask]:
    """Masks of those samples that have one, fitted to squares as `decoding` fits images; the nearest pixel decides.

    Any grey but black is inside (in lossy files the brighter half).

    Args:
        samples: Rows of a samples table.
        size: Side of the squares.

    Returns:
        Places in ``samples`` int64 [K], and masks bool [K, size, size].

    Raises:
        DataError: A mask cannot be read, or has other proportions than its image.
    """
    rows = np.flatnonzero(samples["mask_path"].to_numpy() != "")
    masks = np.zeros((len(rows), size, size), np.bool_)
    few = samples[["path", "mask_path"]].iloc[rows].itertuples(index=False)
    for mask, (path, mask_path) in zip(masks, progress(few, "Reading masks", len(rows)), strict=True):
        reading = next(read([mask_path]))
        inside = reading.image > (127 if reading.format in _LOSSY else 0)
        image = read_grey(path)
        if np.abs(np.subtract(inner_size(inside.shape, size), inner_size(image.shape, size))).max() > 1:
            raise DataError(
                f"The mask {mask_path} has {_by(inside.shape)} pixels and its image {_by(image.shape)}; "
                "expected the same proportions, else it lies elsewhere."
            )
        mask[:] = fit_square(inside.astype(np.uint8), size, cv2.INTER_NEAREST_EXACT) > 0
    return rows.astype(np.int64), masks


def head_mask(image: npt.NDArray[np.uint8]) -> Mask:
    """The largest patch of a grey image that is not background, its holes filled; all of it where there is none.

    Background is darker than a tenth of the 99.5th percentile.
    """
    smooth = cv2.GaussianBlur(image, (5, 5), 0)
    bright = (smooth > max(_DARK, 0.1 * float(np.percentile(image, 99.5)))).astype(np.uint8)
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        return np.ones(image.shape, np.bool_)
    largest = 1 + int(np.argmax(boxes[1:, cv2.CC_STAT_AREA]))
    return np.asarray(ndimage.binary_fill_holes(numbers == largest), np.bool_)


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"
