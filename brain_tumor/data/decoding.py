"""One file in, what is kept of each picture in it out: the picture at the training size, its fingerprint, its facts."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.audit.fingerprint import SIDE, VIEWS, fingerprint
from brain_tumor.data.formats.picture import Reading
from brain_tumor.data.reading import read, source_file
from brain_tumor.errors import DataError

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Decoded:
    """What is kept of one picture; black where it could not be read."""

    square: Picture
    """uint8 [size, size]."""
    views: Picture
    """Fingerprint, uint8 [VIEWS, SIDE, SIDE]."""
    facts: dict[str, str]
    """``path, sha256, pixels, format, mode, width, height, border, error``."""


def decode(references: Sequence[str], size: int) -> Iterator[Decoded]:
    """Decode references to one file, in their order; from a fault on, all of them carry it in their facts.

    ``sha256`` is that of the file (with the slice, if one is named), ``pixels`` a digest of the picture, empty if
    it is blank and tells nothing of whose it is; ``border`` is the mean grey of the outermost pixels.
    """
    content = source_file(references[0]).read_bytes()
    readings, done = read(references), 0
    try:
        for reference, reading in zip(references, readings, strict=True):
            yield Decoded(
                fit_square(reading.picture, size),
                fingerprint(reading.picture),
                {"path": reference, "sha256": _digest(content, reference), **_facts(reading), "error": ""},
            )
            done += 1
    except DataError as error:
        for reference in references[done:]:
            facts = {"path": reference, "sha256": _digest(content, reference), **_NOTHING, "error": str(error)}
            yield Decoded(np.zeros((size, size), np.uint8), np.zeros((len(VIEWS), SIDE, SIDE), np.uint8), facts)


def fit_square(image: Picture, size: int) -> Picture:
    """Centre a grey picture [H, W] on a black square and resize it to [size, size], keeping its proportions."""
    height, width = image.shape
    scale = size / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = image if inner == (width, height) else cv2.resize(image, inner, interpolation=interpolation)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - inner[1]) // 2, (size - inner[0]) // 2
    square[top : top + inner[1], left : left + inner[0]] = resized
    return square


_NOTHING = dict.fromkeys(("pixels", "format", "mode", "width", "height", "border"), "")


def _facts(reading: Reading) -> dict[str, str]:
    picture = reading.picture
    height, width = picture.shape
    pixels = ""
    if picture.min() < picture.max():
        pixels = hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).hexdigest()
    edges = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    facts = (pixels, reading.format, reading.mode, width, height, f"{edges.mean():.1f}")
    return dict(zip(_NOTHING, map(str, facts), strict=True))


def _digest(content: bytes, reference: str) -> str:
    slice_ = reference[len(str(source_file(reference))) :]
    return hashlib.sha256(content + slice_.encode()).hexdigest()
