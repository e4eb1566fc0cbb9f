"""Copies of pictures, altered as files are altered on their way from one public set into another."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def _jpeg40(picture: Picture) -> Picture:
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


def _half(picture: Picture) -> Picture:
    height, width = picture.shape
    return np.asarray(cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)


def _brighter(picture: Picture, factor: float = 1.15) -> Picture:
    return np.asarray(np.clip(picture * factor, 0, 255).round(), np.uint8)


def _darker(picture: Picture) -> Picture:
    return _brighter(picture, 0.85)


def _crop(picture: Picture) -> Picture:
    """1.5 % off every side."""
    rows, columns = (round(0.015 * side) for side in picture.shape)
    return picture[rows : picture.shape[0] - rows, columns : picture.shape[1] - columns]


def _crop_one_side(picture: Picture) -> Picture:
    """3 % off the top and off the left."""
    rows, columns = (round(0.03 * side) for side in picture.shape)
    return picture[rows:, columns:]


def _shift(picture: Picture) -> Picture:
    """2 px to the right and down; the border is repeated."""
    return np.pad(picture, ((2, 0), (2, 0)), "edge")[:-2, :-2]


def _mirror(picture: Picture) -> Picture:
    return picture[:, ::-1]


def _upside_down(picture: Picture) -> Picture:
    return picture[::-1]


def _all(picture: Picture) -> Picture:
    for alter in (_shift, _crop, _half, _brighter, _mirror, _jpeg40):
        picture = np.ascontiguousarray(alter(picture))
    return picture


TRANSFORMS: dict[str, Callable[[Picture], Picture]] = {
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


def planted(picture: Picture) -> list[Picture]:
    """One altered copy for each of `TRANSFORMS`."""
    return [np.ascontiguousarray(alter(picture)) for alter in TRANSFORMS.values()]
