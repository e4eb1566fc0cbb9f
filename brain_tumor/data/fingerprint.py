"""Fingerprints, by which images are recognised: small views of the whole image, of its bright box and of the head."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from brain_tumor.types import GreyImage

FINGERPRINT_VERSION = 1
"""Part of every cache key; increase it when the same image yields other views."""
SIDE = 64
"""Height and width of a view in pixels."""
WHOLE, BOX, HEAD = VIEWS = range(3)
"""Indices of the views: whole image, box of all bright pixels, head."""
ORIENTATIONS = (0, 1, 2, 3)
"""Upright and mirrored orientations; bit 0: left–right, bit 1: upside down. Each is its own inverse."""
TURNED = (4, 5, 6, 7)
"""Orientations of images lying on their side: as the four others, but rows and columns are swapped first (bit 2)."""

_DARK = 10
"""Grey value up to which a pixel is background in every image, however dark."""
_BRIGHT = 30
"""Grey value above which a pixel is never background."""
_MIN_BOX_SIZE = 16
"""Shortest side in pixels of a box that shows anything."""


def fingerprint(image: GreyImage) -> GreyImage:
    """Shrink a grey image [height, width] to its views.

    Proportions are not kept, so that stretched copies look the same. Lanczos filtering preserves the detail that
    distinguishes neighbouring slices.

    Returns:
        uint8 [3, SIDE, SIDE]: the whole image, the box of all bright pixels, and the head alone.
    """
    return np.stack([_shrink(view) for view in (image, crop_bright_box(image), crop_head(image))])


def crop_bright_box(image: GreyImage) -> GreyImage:
    """Crop an image to the bounding box of all bright pixels: the head, and letters or rulers around it."""
    bright = (image > _BRIGHT).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(bright)
    return image[y : y + height, x : x + width] if min(width, height) >= _MIN_BOX_SIZE else image


def crop_head(image: GreyImage) -> GreyImage:
    """Crop an image to the largest bright region, without frame, ruler or letters; return all of it if there is none.

    Bright is above a tenth of the 99.5th percentile, so that the box does not depend on brightness.
    """
    smooth = cv2.GaussianBlur(image, (5, 5), 0)
    bright = (smooth > max(_DARK, 0.1 * _white_level(image))).astype(np.uint8)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        return image
    x, y, width, height, _ = boxes[1 + int(np.argmax(boxes[1:, cv2.CC_STAT_AREA]))]
    return image[y : y + height, x : x + width] if min(width, height) >= _MIN_BOX_SIZE else image


def _white_level(image: GreyImage) -> float:
    """Compute the 99.5th percentile from the histogram, many times faster than by sorting."""
    counts = cv2.calcHist([image], [0], None, [256], [0, 256]).ravel().cumsum()
    return float(np.searchsorted(counts, 0.995 * counts[-1]))


def _shrink(view: GreyImage) -> GreyImage:
    shrunk = PILImage.fromarray(np.ascontiguousarray(view))
    return np.asarray(shrunk.resize((SIDE, SIDE), PILImage.Resampling.LANCZOS, reducing_gap=3))


def inverse(orientation: int) -> int:
    """Return the orientation that undoes another one: of a quarter turn the opposite one, of all others themselves."""
    return {5: 6, 6: 5}.get(orientation, orientation)


def mirror(views: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Mirror or turn images along their last two axes, without a copy.

    Args:
        views: Array [..., H, W].
        orientation: One of `ORIENTATIONS` or `TURNED`.
    """
    views = views.swapaxes(-1, -2) if orientation & 4 else views
    rows = slice(None, None, -1 if orientation & 2 else 1)
    columns = slice(None, None, -1 if orientation & 1 else 1)
    return views[..., rows, columns]


def unit(views: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Convert views [N, …] to zero-mean unit vectors, float32 [N, D]: their dot products are correlations."""
    flat = views.reshape(len(views), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))
