"""Decode files to what is kept of each image: the image at the training size, its fingerprint and its facts."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
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

KnownViews = Callable[[str], GreyImage | None]
"""Look up the fingerprint of an image by the digest of its pixels; None if it is not known."""
_FACTS = ("pixels", "format", "mode", "width", "height", "border")


@dataclass(frozen=True)
class Decoded:
    """One decoded image; black if it could not be read."""

    image: GreyImage
    """uint8 [size, size]."""
    views: GreyImage
    """Fingerprint, uint8 [VIEWS, SIDE, SIDE]."""
    facts: dict[str, str]
    """``pixels, format, mode, width, height, border, error``: ``pixels`` is a digest of the image, empty if the image
    is blank and thus identifies nobody; ``border`` is the mean grey value of the outermost pixels; ``error`` is the
    error message if the image could not be read (the other facts are then empty)."""


def decode(references: Sequence[str], size: int, known_views: KnownViews = lambda _: None) -> Iterator[Decoded]:
    """Decode references to one file, in their order; after an error, all remaining ones have it in their facts.

    Args:
        references: Path of the file, or ``FILE#SLICE``.
        size: Height and width of the decoded images in pixels.
        known_views: Fingerprints that need not be computed.
    """
    done = 0
    try:
        for reading in read(references):
            facts = {**_facts(reading), "error": ""}
            views = known_views(facts["pixels"])
            if views is None:
                views = fingerprint(reading.image)
            yield Decoded(fit_square(reading.image, size), views, facts)
            done += 1
    except DataError as error:
        for _ in references[done:]:
            facts = {**dict.fromkeys(_FACTS, ""), "error": str(error)}
            yield Decoded(np.zeros((size, size), np.uint8), np.zeros((len(VIEWS), SIDE, SIDE), np.uint8), facts)


def decode_all(
    references: Sequence[str], size: int, known_views: KnownViews = lambda _: None
) -> Iterator[tuple[int, Decoded]]:
    """Decode references to any files on all cores, each file once.

    Args:
        references: Paths of files, or ``FILE#SLICE``.
        size: Height and width of the decoded images in pixels.
        known_views: Fingerprints that need not be computed; called from several threads.

    Yields:
        Position in ``references`` and decoded image, file by file.
    """
    by_file: dict[Path, list[int]] = {}
    for position, reference in enumerate(references):
        by_file.setdefault(source_file(reference), []).append(position)

    def decode_file(positions: list[int]) -> list[Decoded]:
        return list(decode([references[position] for position in positions], size, known_views))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = progress(pool.map(decode_file, by_file.values()), "Decoding images", len(by_file))
        for positions, decoded in zip(by_file.values(), files, strict=True):
            yield from zip(positions, decoded, strict=True)


def fit_square(image: GreyImage, size: int, interpolation: int | None = None) -> GreyImage:
    """Resize a grey image to [size, size]; it keeps its proportions and is centred on black.

    Args:
        image: uint8 [H, W].
        size: Height and width of the result in pixels.
        interpolation: Interpolation flag of OpenCV; None averages areas to shrink and is linear to enlarge.
    """
    height, width = image.shape
    new_width, new_height = fitted_size(image.shape, size)
    if interpolation is None:
        interpolation = cv2.INTER_AREA if size < max(height, width) else cv2.INTER_LINEAR
    resized = image
    if (new_width, new_height) != (width, height):
        resized = np.asarray(cv2.resize(image, (new_width, new_height), interpolation=interpolation), np.uint8)
    result = np.zeros((size, size), np.uint8)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    result[top : top + new_height, left : left + new_width] = resized
    return result


def fitted_size(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Return width and height of an image [H, W] after `fit_square`, without the black margins."""
    scale = size / max(shape)
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _facts(reading: Reading) -> dict[str, str]:
    image = reading.image
    height, width = image.shape
    pixels = ""
    if image.min() < image.max():
        pixels = hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest()
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    values = (pixels, reading.format, reading.mode, width, height, f"{edges.mean():.1f}")
    return dict(zip(_FACTS, map(str, values), strict=True))
