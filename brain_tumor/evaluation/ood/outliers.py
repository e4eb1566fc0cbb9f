"""Images that an OOD detector is fitted to reject: scans that are changed beyond use, and drawn parts of the body.

Of the kinds of `brain_tumor.evaluation.ood.test_sets`, the others are never fitted: necks, photographs, anatomy, noise,
blank images and text show what the detector does with a kind of image that is new to it.
"""

from collections.abc import Callable

import cv2
import numpy as np

from brain_tumor.evaluation.ood.bodies import body
from brain_tumor.types import GreyImage

_STREAM = 1000
"""First seed of the random draws, which must not be those of the test sets."""


def outliers(scans: GreyImage, count: int = 100, seed: int = 0) -> GreyImage:
    """Make OOD images to fit a detector with.

    Args:
        scans: Brain MR slices uint8 [N, S, S] that the detector is fitted on.
        count: Number of images per kind; of kinds that are made from scans at most N.
        seed: Seed of the random draws.

    Returns:
        Images uint8 [M, S, S], those of one kind after those of another.
    """
    parts = []
    for number, change in enumerate(SCAN_CHANGES.values()):
        rng = np.random.default_rng([seed, _STREAM + number])
        parts.append(np.stack([change(scan, rng) for scan in scans[rng.permutation(len(scans))[:count]]]))
    rng = np.random.default_rng([seed, _STREAM + len(parts)])
    return np.concatenate([*parts, body(count, scans.shape[1], rng)])


def _inverted(image: GreyImage, _: np.random.Generator) -> GreyImage:
    return 255 - image


def _shuffled(image: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Permute 4 × 4 tiles; remaining pixels at the edges of odd sizes do not move."""
    tile, shuffled = len(image) // 4, image.copy()
    corners = [(tile * row, tile * column) for row, column in np.ndindex(4, 4)]
    for (top, left), number in zip(corners, rng.permutation(16), strict=True):
        y, x = corners[number]
        shuffled[top : top + tile, left : left + tile] = image[y : y + tile, x : x + tile]
    return shuffled


def _cropped(image: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Enlarge a detail of the middle, a quarter to half as wide as the image."""
    size = len(image)
    side = int(size * rng.uniform(0.25, 0.5))
    top, left = rng.integers(size // 6, max(size - side - size // 6, size // 6), 2, endpoint=True)
    return _resized(image[top : top + side, left : left + side], size)


def _shifted(image: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Move the head by 0.4 to 0.6 of the width of the image, so that half of it or more lies outside."""
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.6) * len(image)
    matrix = np.array([[1, 0, distance * np.cos(angle)], [0, 1, distance * np.sin(angle)]], np.float32)
    return np.asarray(cv2.warpAffine(image, matrix, image.shape[::-1]), np.uint8)


def _shrunken(image: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Shrink the image to a fifth to two fifths, anywhere on black."""
    size, shrunken = len(image), np.zeros_like(image)
    side = max(int(size * rng.uniform(0.2, 0.4)), 1)
    top, left = rng.integers(0, size - side, 2, endpoint=True)
    shrunken[top : top + side, left : left + side] = _resized(image, side)
    return shrunken


def _resized(image: GreyImage, side: int) -> GreyImage:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


SCAN_CHANGES: dict[str, Callable[[GreyImage, np.random.Generator], GreyImage]] = {
    "inverted": _inverted,
    "shuffled": _shuffled,
    "cropped": _cropped,
    "shifted": _shifted,
    "shrunken": _shrunken,
}
"""Name of a kind → function (scan, rng) → image."""
FITTED_KINDS = (*SCAN_CHANGES, "generated body")
"""Kinds of images that `outliers` makes; in the test sets they have other draws, and scans of other patients."""
