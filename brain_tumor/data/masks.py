"""Masks at the training size: of tumours, aligned with the decoded images, and of the head."""

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from brain_tumor.data.cache.decoding import fit_square, fitted_size
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import read, read_image
from brain_tumor.errors import DataError
from brain_tumor.types import GreyImage, Rows

Mask = npt.NDArray[np.bool_]
_LOSSY_FORMATS = ("JPEG", "WEBP")
_DARK = 10
"""Grey value up to which a pixel is background in every image, however dark."""


def read_masks(samples: pd.DataFrame, size: int) -> tuple[Rows, Mask]:
    """Read the tumour masks of all samples that have one, resized as `fit_square` resizes images (nearest pixel).

    Every grey value above 0 is inside; in lossy formats, whose zeros are not exact, every value above 127.

    Args:
        samples: Samples table.
        size: Height and width of the masks in pixels.

    Returns:
        Rows of ``samples`` with a mask, int64 [K], and their masks, bool [K, size, size].

    Raises:
        DataError: A mask cannot be read, or has other proportions than its image.
    """
    rows = np.flatnonzero(samples["mask_path"].to_numpy() != "")
    masks = np.zeros((len(rows), size, size), np.bool_)
    paths = samples[["path", "mask_path"]].iloc[rows].itertuples(index=False)
    for mask, (path, mask_path) in zip(masks, progress(paths, "Reading masks", len(rows)), strict=True):
        reading = next(read([mask_path]))
        inside = reading.image > (127 if reading.format in _LOSSY_FORMATS else 0)
        image = read_image(path)
        if np.abs(np.subtract(fitted_size(inside.shape, size), fitted_size(image.shape, size))).max() > 1:
            raise DataError(
                f"The mask {mask_path} has {_format_size(inside.shape)} pixels and its image "
                f"{_format_size(image.shape)}; expected the same proportions; give the mask of this image."
            )
        mask[:] = fit_square(inside.astype(np.uint8), size, cv2.INTER_NEAREST_EXACT) > 0
    return rows.astype(np.int64), masks


def head_mask(image: GreyImage) -> Mask:
    """Return the largest region of a grey image [H, W] that is not background, with holes filled, bool [H, W].

    Background is darker than a tenth of the 99.5th percentile. True everywhere if there is only background.
    """
    smooth = cv2.GaussianBlur(image, (5, 5), 0)
    bright = (smooth > max(_DARK, 0.1 * float(np.percentile(image, 99.5)))).astype(np.uint8)
    count, regions, statistics, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        return np.ones(image.shape, np.bool_)
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    return np.asarray(ndimage.binary_fill_holes(regions == largest), np.bool_)


def _format_size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"
