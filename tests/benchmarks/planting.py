"""Copies of images, altered as files are altered on their way from one public set into another."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

GreyImage = npt.NDArray[np.uint8]


def _jpeg40(image: GreyImage) -> GreyImage:
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


def _half(image: GreyImage) -> GreyImage:
    height, width = image.shape
    return np.asarray(cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)


def _brighter(image: GreyImage, factor: float = 1.15) -> GreyImage:
    return np.asarray(np.clip(image * factor, 0, 255).round(), np.uint8)


def _darker(image: GreyImage) -> GreyImage:
    return _brighter(image, 0.85)


def _crop(image: GreyImage) -> GreyImage:
    """1.5 % off every side."""
    rows, columns = (round(0.015 * side) for side in image.shape)
    return image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]


def _crop_one_side(image: GreyImage) -> GreyImage:
    """3 % off the top and off the left."""
    rows, columns = (round(0.03 * side) for side in image.shape)
    return image[rows:, columns:]


def _shift(image: GreyImage) -> GreyImage:
    """2 px to the right and down; the border is repeated."""
    return np.pad(image, ((2, 0), (2, 0)), "edge")[:-2, :-2]


def _mirror(image: GreyImage) -> GreyImage:
    return image[:, ::-1]


def _upside_down(image: GreyImage) -> GreyImage:
    return image[::-1]


def _all(image: GreyImage) -> GreyImage:
    for alter in (_shift, _crop, _half, _brighter, _mirror, _jpeg40):
        image = np.ascontiguousarray(alter(image))
    return image


TRANSFORMS: dict[str, Callable[[GreyImage], GreyImage]] = {
    "JPEG quality 40": _jpeg40,
    "half size": _half,
    "brightness +15 %": _brighter,
    "brightness -15 %": _darker,
    "crop 3 %, centred": _crop,
    "crop 3 %, one side": _crop_one_side,
    "shift 2 px": _shift,
    "mirrored left-right": _mirror,
    "mirrored upside down": _upside_down,
    "all together": _all,
}
"""``all together``: shifted, cropped, halved, brightened, mirrored left-right and stored at quality 40."""


def planted(image: GreyImage) -> list[GreyImage]:
    """One altered copy for each of `TRANSFORMS`."""
    return [np.ascontiguousarray(alter(image)) for alter in TRANSFORMS.values()]
