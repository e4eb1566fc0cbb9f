"""A map blended into an image. Needs neither torch nor matplotlib, so that a server can draw it."""

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.types import GreyImage

_OPACITY = 0.6
"""Opacity of the colour where a map is 1."""


def overlay(image: GreyImage, heatmap: npt.NDArray[np.floating]) -> GreyImage:
    """Blend a map into a grey image.

    Args:
        image: Grey image uint8 [H, W].
        heatmap: Map [H, W] in [0, 1].

    Returns:
        RGB image uint8 [H, W, 3], unchanged grey where the map is 0.
    """
    levels = np.rint(255 * heatmap).astype(np.uint8)
    colour = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]
    opacity = _OPACITY * heatmap[..., None]
    blended: GreyImage = ((1 - opacity) * image[..., None] + opacity * colour).round().astype(np.uint8)
    return blended
