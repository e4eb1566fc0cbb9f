"""Masks at the training size: of tumours, aligned with the decoded images, and of the head."""

import hashlib
import logging
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from brain_tumor.data.cache.decoding import fit_square, fitted_size
from brain_tumor.data.cache.digests import digests
from brain_tumor.data.cache.results import stored_result
from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import READING_VERSION, read, read_image
from brain_tumor.errors import DataError
from brain_tumor.types import UNKNOWN_MASK, Flags, GreyImage, Rows

Mask = npt.NDArray[np.bool_]
log = logging.getLogger(__name__)
MIRRORED = "#mirrored"
"""End of a ``mask_path`` whose mask is to be mirrored left–right to lie on its image."""
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
        reading = next(read([mask_path.removesuffix(MIRRORED)]))
        inside = reading.image > (127 if reading.format in _LOSSY_FORMATS else 0)
        inside = inside[:, ::-1] if mask_path.endswith(MIRRORED) else inside
        image = read_image(path)
        if np.abs(np.subtract(fitted_size(inside.shape, size), fitted_size(image.shape, size))).max() > 1:
            raise DataError(
                f"The mask {mask_path} has {_format_size(inside.shape)} pixels and its image "
                f"{_format_size(image.shape)}; expected the same proportions; give the mask of this image."
            )
        mask[:] = fit_square(inside.astype(np.uint8), size, cv2.INTER_NEAREST_EXACT) > 0
    return rows.astype(np.int64), masks


class TumourMasks:
    """Tumour masks of all samples, as the map of a localizer is trained on; indexed by rows of the samples table.

    A healthy image has an empty mask, whatever files there are.

    Args:
        samples: Samples table of N images.
        size: Height and width of the masks in pixels.
        results: Folder for results on these images, see `brain_tumor.data.cache.results`; None stores nothing.
        cache_dir: Folder of the cache, which knows digests of files; used if ``results`` is given.

    Raises:
        DataError: As `read_masks`.
    """

    def __init__(
        self, samples: pd.DataFrame, size: int, results: Path | None = None, cache_dir: Path | None = None
    ) -> None:
        self._size = size
        tumour = samples[(samples["mask_path"] != "") & (samples["label"] != HEALTHY)]
        contents = digests(tumour["mask_path"].tolist(), cache_dir / "digests" if results and cache_dir else None)
        key = hashlib.sha256("\n".join([str(READING_VERSION), str(size), *tumour["path"], *contents]).encode())
        packed = stored_result(
            results,
            f"masks-{key.hexdigest()[:16]}",
            "reads these masks",
            compute=lambda: np.packbits(read_masks(tumour, size)[1].reshape(len(tumour), size**2), axis=1),
            to_bytes=lambda array: array.tobytes(),
            from_bytes=lambda content: np.frombuffer(content, np.uint8).reshape(len(tumour), -(-(size**2) // 8)),
        )
        self._position = np.full(len(samples), -1, np.int64)
        self._position[tumour.index] = np.arange(len(tumour))
        self._packed = packed
        self.known: Flags = (self._position >= 0) | (samples["label"] == HEALTHY).to_numpy()
        """bool [N]: whether the mask of an image is known."""

    def __getitem__(self, rows: Rows) -> GreyImage:
        """Return masks uint8 [B, S, S] of rows int64 [B]: 1 inside the tumour, 0 outside, or all `UNKNOWN_MASK`."""
        masks = np.zeros((len(rows), self._size, self._size), np.uint8)
        masks[~self.known[rows]] = UNKNOWN_MASK
        for mask, position in zip(masks, self._position[rows], strict=True):
            if position >= 0:
                mask[:] = np.unpackbits(self._packed[position], count=mask.size).reshape(mask.shape)
        return masks


def training_masks(samples: pd.DataFrame, size: int, results: Path | None, cache_dir: Path) -> TumourMasks | None:
    """Read the masks that the map of a localizer is trained on, and log how many there are.

    Args:
        samples: Samples table with ``split`` filled.
        size: Height and width of the masks in pixels.
        results: As in `TumourMasks`.
        cache_dir: As in `TumourMasks`.

    Returns:
        None if no training image of a tumour has a mask: the map is then not trained.
    """
    tumours = samples[(samples["split"] == "train") & (samples["label"] != HEALTHY)]
    outlined = int((tumours["mask_path"] != "").sum())
    if not outlined:
        log.warning("None of the %d training images of tumours has a mask: the map is not trained.", len(tumours))
        return None
    log.info("%d of %d training images of tumours have a mask, on which the map is trained.", outlined, len(tumours))
    return TumourMasks(samples, size, results, cache_dir)


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
