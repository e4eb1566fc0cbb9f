"""Recognise curated images whose files were altered: re-encoded, resized, stretched, mirrored or cropped.

A code is made of the 150 lowest frequencies (discrete cosine transform) of the middle of a image, without its outer
tenth, in units of their spread over Cheng's slices, as 8-bit numbers. The middle of the altered image is found by
Gauss–Newton on the difference of the codes, from the best of 256 placements; a crop of up to a tenth on each side
leaves it complete. Made again: ``python -m brain_tumor.data.public.groups.image_codes DIR`` (the folder of cheng).
"""

import io
import lzma
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from brain_tumor.data.fingerprint import ORIENTATIONS, SIDE, WHOLE, fingerprint, mirror
from brain_tumor.data.images import Images
from brain_tumor.data.progress import progress
from brain_tumor.types import GreyImage, Rows

CODES_VERSION = 1
"""Part of stored results: raise it when the same images would be traced otherwise."""
MIN_SIMILARITY = 0.993
"""Cosine of two codes from which they are of one image: above all pairs of different patients of Cheng, below all
copies that were altered as this module allows (``tests/data/public/groups/test_image_codes.py``)."""

_LENGTH, _COARSE = 150, 45
"""Numbers in a code, and those that the search for placements begins with."""
_FREQUENCIES = 17
"""Frequencies per axis; those of a code are the lowest by their sum over both axes."""
_MARGIN = 0.1
"""Share of the image that is left out on each side."""
_STEPS = (0.0, 0.035, 0.07, 0.105)
"""Margins of an altered image that are tried on each side."""
_MOST_MARGIN, _LEAST_MARGIN = 0.2, -0.03
_CANDIDATES = 6
_MIN_COARSE = 0.9
"""Cosine of the first numbers of two codes from which the search continues."""
_DELTA = 0.004
"""Step of the numerical derivatives, as share of the side."""
_ROUNDS = ((_COARSE, 4), (90, 3), (_LENGTH, 3))
"""Numbers of a code, and Gauss–Newton steps with them."""
_POWER = 0.75
"""Exponent of the spread by which a frequency is divided: between plain (0) and whitened (1)."""
_FILE = resources.files("brain_tumor.data.public.groups") / "tables" / "cheng-codes.npz.xz"

Codes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CodeBook:
    """The codes of the curated images."""

    codes: npt.NDArray[np.int8]
    """int8 [M, 150]."""
    patients: npt.NDArray[np.str_]
    """Patient of each image, [M]."""
    mean: Codes
    """Mean of the normalised frequencies, float32 [150]."""
    scale: Codes
    """Divisor of each, float32 [150]."""

    @classmethod
    def make(cls, views: GreyImage, patients: list[str]) -> Self:
        """Make the book from views uint8 [M, SIDE, SIDE] of whole images."""
        raw = _unit(_frequencies(views.astype(np.float32), np.full((len(views), 4), _MARGIN)))
        mean, scale = raw.mean(axis=0), raw.std(axis=0) ** _POWER
        codes = _unit((raw - mean) / scale)
        quantised = np.rint(codes * (127 / np.abs(codes).max())).astype(np.int8)
        return cls(quantised, np.array(patients), mean.astype(np.float32), scale.astype(np.float32))

    def to_bytes(self) -> bytes:
        """Serialise; the same book gives the same bytes."""
        buffer = io.BytesIO()
        for array in (self.codes, self.patients, self.mean, self.scale):
            np.save(buffer, array, allow_pickle=False)
        return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)

    @classmethod
    def from_bytes(cls, packed: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        buffer = io.BytesIO(lzma.decompress(packed))
        return cls(*(np.load(buffer, allow_pickle=False) for _ in range(4)))

    def __call__(self, image: Codes, placements: npt.NDArray[np.floating]) -> Codes:
        """Compute codes float32 [K, 150] of one image [SIDE, SIDE] for K placements [K, 4] of its middle."""
        raw = _unit(_frequencies(image, placements))
        return _unit((raw - self.mean) / self.scale)


@cache
def shipped_book() -> CodeBook:
    """Read the book of Cheng's slices that ships with the package."""
    return CodeBook.from_bytes(_FILE.read_bytes())


def trace(views: Images, rows: Rows, book: CodeBook | None = None) -> list[tuple[str, float]]:
    """Find the patient that each image shows.

    Args:
        views: Fingerprints, uint8 [N, VIEWS, SIDE, SIDE].
        rows: Rows of ``views`` to trace, int64 [K].
        book: Known images; None for the shipped ones.

    Returns:
        For each row the patient, empty if it shows none of the known images, and the similarity of the best match.
    """
    known = book or shipped_book()
    reference = _unit(known.codes.astype(np.float32))
    coarse = _unit(reference[:, :_COARSE])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        traced = pool.map(lambda row: _trace(views[int(row), WHOLE], known, reference, coarse), rows)
        return list(progress(traced, "Tracing images to known patients", len(rows)))


def _trace(view: GreyImage, book: CodeBook, reference: Codes, coarse: Codes) -> tuple[str, float]:
    images = [np.ascontiguousarray(mirror(view, orientation), np.float32) for orientation in ORIENTATIONS]
    whole = np.full((1, 4), _MARGIN)
    exact = np.concatenate([book(image, whole) for image in images]) @ reference.T
    best, number = float(exact.max()), int(exact.argmax()) % len(reference)
    if best < MIN_SIMILARITY:
        for image in images[:2]:  # upright and mirrored left–right; scans are not cropped upside down
            found = _search(image, book, reference, coarse)
            best, number = max((best, number), found)
            if best >= MIN_SIMILARITY:
                break
    return (str(book.patients[number]) if best >= MIN_SIMILARITY else "", round(best, 4))


def _search(image: Codes, book: CodeBook, reference: Codes, coarse: Codes) -> tuple[float, int]:
    """Search for the known image that a cropped one shows: similarity, and number of the image."""
    similarity = _unit(_bank(image, book)) @ coarse.T
    highest = similarity.max(axis=0)
    numbers = np.argsort(-highest)[:_CANDIDATES]
    numbers = numbers[highest[numbers] >= _MIN_COARSE]
    if not len(numbers):
        return -1.0, 0
    placements = _PLACEMENTS[similarity[:, numbers].argmax(axis=0)]
    for length, steps in _ROUNDS:
        target = _unit(reference[numbers, :length])
        for _ in range(steps):
            placements = _improve(image, book, placements, target)
    found = (book(image, placements) * reference[numbers]).sum(axis=1)
    best = int(found.argmax())
    return float(found[best]), int(numbers[best])


_PLACEMENTS = np.array(list(product(_STEPS, repeat=4)))
"""Margins (top, bottom, left, right) that are tried, [256, 4]."""


def _bank(image: Codes, book: CodeBook) -> Codes:
    """The first numbers of the codes for all of `_PLACEMENTS`, float32 [256, 45]."""
    bases = _bank_bases()
    down = bases @ image
    values = np.einsum("pks,qls->pqkl", down, bases, optimize=True)
    y, x = _ORDER[:_COARSE].T
    raw = values[:, :, y, x].reshape(len(_PLACEMENTS), _COARSE)
    # the norm over all frequencies is not known here: the first ones hold nearly all of it
    return np.asarray((_unit(raw) - book.mean[:_COARSE]) / book.scale[:_COARSE], np.float32)


@cache
def _bank_bases() -> Codes:
    """Cosines for the margins of `_PLACEMENTS` along one axis, float32 [16, frequencies of the first numbers, SIDE]."""
    return _basis(np.array(list(product(_STEPS, repeat=2))))[:, : _ORDER[:_COARSE].max() + 1]


def _improve(
    image: Codes, book: CodeBook, placements: npt.NDArray[np.floating], target: Codes
) -> npt.NDArray[np.floating]:
    """Take one Gauss–Newton step for each of K placements [K, 4] towards its target [K, L]."""
    count, length = target.shape
    moves = np.concatenate([np.zeros((1, 4)), _DELTA * np.eye(4), -_DELTA * np.eye(4)])
    around = (placements[:, None] + moves).reshape(-1, 4)
    codes = _unit(book(image, around)[:, :length]).reshape(count, 9, length)
    slopes = (codes[:, 1:5] - codes[:, 5:]) / (2 * _DELTA)
    normal = slopes @ slopes.transpose(0, 2, 1) + 1e-3 * np.eye(4)
    step = np.linalg.solve(normal, slopes @ (target - codes[:, 0])[:, :, None])[:, :, 0]
    return np.asarray(np.clip(placements + np.clip(step, -0.03, 0.03), _LEAST_MARGIN, _MOST_MARGIN))


def _lowest(frequencies: int, length: int) -> Rows:
    """Return the lowest frequencies (down, across) by their sum, without the mean, int64 [length, 2]."""
    pairs = sorted(product(range(frequencies), repeat=2), key=lambda pair: (sum(pair), abs(pair[0] - pair[1]), pair))
    return np.array(pairs[1 : length + 1], np.int64)


_ORDER = _lowest(_FREQUENCIES, _LENGTH)


def _frequencies(images: Codes, placements: npt.NDArray[np.floating]) -> Codes:
    """Compute frequencies of the middles of images, float32 [K, 150].

    Args:
        images: [SIDE, SIDE] or [K, SIDE, SIDE].
        placements: Margins (top, bottom, left, right) around each middle, as shares of the side, [K, 4].
    """
    down, across = _basis(placements[:, :2]), _basis(placements[:, 2:])
    values = down @ images @ across.transpose(0, 2, 1)
    return np.asarray(values[:, _ORDER[:, 0], _ORDER[:, 1]], np.float32)


def _basis(margins: npt.NDArray[np.floating]) -> Codes:
    """Cosines over lines without their margins (before, behind), slightly blurred, float32 [K, 17, SIDE]."""
    before, behind = margins[:, :1], margins[:, 1:]
    width = 1 - before - behind
    place = ((np.arange(SIDE) + 0.5) / SIDE - before) / width
    weight = np.clip(np.minimum(place, 1 - place) * SIDE * width + 0.5, 0, 1) / (SIDE * width)
    number = np.arange(_FREQUENCIES)[:, None]
    blur = np.exp(-0.5 * (number * np.pi / SIDE) ** 2)
    return np.asarray(np.cos(np.pi * number * place[:, None]) * blur * weight[:, None], np.float32)


def _unit(vectors: npt.NDArray[Any]) -> Codes:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float32)


def main(arguments: list[str]) -> None:
    """Make the shipped book from the folder of cheng, which holds its images and ``metadata.csv``."""
    from brain_tumor.data.public import public_set
    from brain_tumor.data.readers.reading import read_image

    samples = public_set("cheng", arguments[0]).samples
    views = np.stack([fingerprint(read_image(path))[WHOLE] for path in samples["path"]])
    packed = CodeBook.make(views, samples["patient_id"].tolist()).to_bytes()
    Path(str(_FILE)).write_bytes(packed)
    print(f"{_FILE}: {len(packed):,} bytes, {len(samples)} images")


if __name__ == "__main__":
    main(sys.argv[1:])
