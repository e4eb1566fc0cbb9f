"""One file in, what is kept of each image in it out: the image at the training size, its fingerprint, its facts."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from brain_tumor.data.fingerprint import SIDE, VIEWS, fingerprint
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.grey import Reading
from brain_tumor.data.readers.reading import read, source_file
from brain_tumor.errors import DataError
from brain_tumor.types import GreyImage


@dataclass(frozen=True)
class Decoded:
    """What is kept of one image; black where it could not be read."""

    square: GreyImage
    """uint8 [size, size]."""
    views: GreyImage
    """Fingerprint, uint8 [VIEWS, SIDE, SIDE]."""
    facts: dict[str, str]
    """``pixels, format, mode, width, height, border, error``."""


def decode(references: Sequence[str], size: int) -> Iterator[Decoded]:
    """Decode references to one file, in their order; from a fault on, all of them carry it in their facts.

    ``pixels`` is a digest of the image, empty if it is blank and tells nothing of whose it is; ``border`` is the
    mean grey of the outermost pixels.
    """
    done = 0
    try:
        for reading in read(references):
            yield Decoded(
                fit_square(reading.image, size),
                fingerprint(reading.image),
                {**_facts(reading), "error": ""},
            )
            done += 1
    except DataError as error:
        for _ in references[done:]:
            facts = {**_NOTHING, "error": str(error)}
            yield Decoded(np.zeros((size, size), np.uint8), np.zeros((len(VIEWS), SIDE, SIDE), np.uint8), facts)


def decode_all(references: Sequence[str], size: int) -> Iterator[tuple[int, Decoded]]:
    """Decode references to any files on all cores, each file once; yields (place in ``references``, what is kept)."""
    by_file: dict[Path, list[int]] = {}
    for place, reference in enumerate(references):
        by_file.setdefault(source_file(reference), []).append(place)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = pool.map(lambda places: list(decode([references[place] for place in places], size)), by_file.values())
        done = progress(files, "Decoding images", len(by_file))
        for places, decoded in zip(by_file.values(), done, strict=True):
            yield from zip(places, decoded, strict=True)


def fit_square(image: GreyImage, size: int, interpolation: int | None = None) -> GreyImage:
    """Centre a grey image [H, W] on a black square and resize it to [size, size], keeping its proportions.

    ``interpolation`` is one of OpenCV's; None averages where it shrinks, and is linear where it enlarges.
    """
    height, width = image.shape
    inner = inner_size(image.shape, size)
    if interpolation is None:
        interpolation = cv2.INTER_AREA if size < max(height, width) else cv2.INTER_LINEAR
    resized = image if inner == (width, height) else cv2.resize(image, inner, interpolation=interpolation)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - inner[1]) // 2, (size - inner[0]) // 2
    square[top : top + inner[1], left : left + inner[0]] = resized
    return square


def inner_size(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Width and height that an image of a shape [H, W] has on the square."""
    scale = size / max(shape)
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


_NOTHING = dict.fromkeys(("pixels", "format", "mode", "width", "height", "border"), "")


def _facts(reading: Reading) -> dict[str, str]:
    image = reading.image
    height, width = image.shape
    pixels = ""
    if image.min() < image.max():
        pixels = hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest()
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    facts = (pixels, reading.format, reading.mode, width, height, f"{edges.mean():.1f}")
    return dict(zip(_NOTHING, map(str, facts), strict=True))
