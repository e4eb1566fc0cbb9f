"""Heat map and box in the pixels of the scan that was given."""

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.cache.decoding import fitted_size
from brain_tumor.evaluation.map_boxes import Box, enlarge
from brain_tumor.types import GreyImage

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


def with_box(image: GreyImage, box: Box) -> GreyImage:
    """Draw a box, in pixels of an RGB image uint8 [H, W, 3], on a copy of it."""
    drawn = np.ascontiguousarray(image).copy()
    cv2.rectangle(drawn, box[:2], (box[2] - 1, box[3] - 1), _BOX_COLOUR, max(1, round(max(image.shape) / 200)))
    return drawn


def png(image: GreyImage) -> bytes:
    """Encode an RGB image uint8 [H, W, 3] as PNG."""
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()
