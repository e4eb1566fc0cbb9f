"""A scan with its heat map and box, in the pixels of the scan that was given. Needs no matplotlib."""

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.cache.decoding import fitted_size
from brain_tumor.evaluation.localization import Box, enlarge
from brain_tumor.types import GreyImage

_OPACITY = 0.6
"""Opacity of the colour where the map is 1."""
_BOX_COLOUR = (255, 200, 0)
"""Red, green and blue of the box."""


def original_heatmap(cells: npt.NDArray[np.float32], size: int, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Lay a map on the image that was given: probability of tumour at each of its pixels, float32 [H, W] in [0, 1].

    Args:
        cells: Map, logits [h, w].
        size: Height and width of the image that the network saw, in pixels.
        shape: Height and width of the given image, which was resized and centred by
            `brain_tumor.data.cache.decoding.fit_square`.
    """
    seen = enlarge(cells, size)
    width, height = fitted_size(shape, size)
    top, left = (size - height) // 2, (size - width) // 2
    part = seen[top : top + height, left : left + width]
    return np.asarray(cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def overlay(
    image: GreyImage, heatmap: npt.NDArray[np.float32] | None, box: Box | None, opacity: float = _OPACITY
) -> GreyImage:
    """Blend a heat map into a grey image and draw a box around the tumour.

    Args:
        image: Grey image uint8 [H, W].
        heatmap: Probability of tumour float32 [H, W] in [0, 1]; None draws none.
        box: Box in pixels of the image; None draws none.
        opacity: Opacity of the colour where the map is 1, in [0, 1].

    Returns:
        RGB image uint8 [H, W, 3], grey as it was where the map is 0.
    """
    blended = np.repeat(image[..., None], 3, axis=2)
    if heatmap is not None:
        levels = np.rint(255 * heatmap).astype(np.uint8)
        colour = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]
        weight = opacity * heatmap[..., None]
        blended = np.rint((1 - weight) * blended + weight * colour).astype(np.uint8)
    blended = np.ascontiguousarray(blended)
    if box is not None:
        thickness = max(1, round(max(image.shape) / 200))
        cv2.rectangle(blended, box[:2], (box[2] - 1, box[3] - 1), _BOX_COLOUR, thickness)
    return blended


def png(image: GreyImage) -> bytes:
    """Encode an RGB image uint8 [H, W, 3] as PNG."""
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()
