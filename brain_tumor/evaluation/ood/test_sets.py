"""Sets of images that are no brain MR slices, to measure which of them an OOD detector misses; none is downloaded."""

import string
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from brain_tumor.data.cache.decoding import fit_square
from brain_tumor.data.readers.raster import grey_image
from brain_tumor.data.readers.reading import read_image
from brain_tumor.evaluation.ood.bodies import body, neck
from brain_tumor.evaluation.ood.outliers import SCAN_CHANGES
from brain_tumor.types import GreyImage

ANATOMY = {
    "examples_overlay.dcm": "MR of the abdomen",
    "MR_small.dcm": "MR, an enlarged detail",
    "slicethickness_empty_string.dcm": "MR angiography, a projection of a thin slab",
    "693_J2KI.dcm": "CT of the head, with a part of its range only",
    "CT_small.dcm": "CT of the spine",
    "J2K_pixelrep_mismatch.dcm": "CT of the head",
    "JPEG2000.dcm": "bone scan of the whole body",
    "examples_jpeg2k.dcm": "ultrasound of a lymph node",
    "examples_palette.dcm": "ultrasound, mostly dark",
}
"""Test file of pydicom or nibabel → its content: another part of the body, or another modality."""


_NIBABEL_FILES = Path(str(resources.files("nibabel"))) / "nicom" / "tests" / "data"


def ood_sets(size: int, count: int = 200, seed: int = 0, scans: GreyImage | None = None) -> dict[str, GreyImage]:
    """Make all sets of OOD images.

    Args:
        size: Image height and width in pixels, S.
        count: Number of images per set; ``anatomy`` has at most eight per source file.
        seed: Seed of the random images.
        scans: Brain MR slices uint8 [N, S, S], from which the sets of `SCAN_CHANGES` are made; without scans these are
            left out.

    Returns:
        Name → images uint8 [count, S, S].
    """
    sets = {
        name: make(count, size, np.random.default_rng([seed, number]))
        for number, (name, make) in enumerate(_GENERATORS.items())
    }
    if scans is not None:
        for number, (name, change) in enumerate(SCAN_CHANGES.items(), len(_GENERATORS)):
            rng = np.random.default_rng([seed, number])
            selected = scans[rng.permutation(len(scans))[:count]]
            sets[name] = np.stack([change(image, rng) for image in selected])
    return sets


def photos(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Crop squares from three photographs: a temple, a flower, a person."""
    from matplotlib.cbook import get_sample_data
    from sklearn.datasets import load_sample_images

    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as person:
        sources = [grey_image(person)]
    sources += [grey_image(Image.fromarray(colours)) for colours in load_sample_images().images]
    return np.stack([fit_square(_crop(sources[number % len(sources)], rng), size) for number in range(count)])


def _crop(image: GreyImage, rng: np.random.Generator) -> GreyImage:
    side = rng.integers(min(image.shape) // 3, min(image.shape), endpoint=True)
    top, left = (rng.integers(0, length - side, endpoint=True) for length in image.shape)
    return image[top : top + side, left : left + side]


def anatomy(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Read the images of `ANATOMY`, each in eight poses: mirrored or not, rotated by multiples of 90°."""
    images = [fit_square(read_image(_test_file(name)), size) for name in ANATOMY]
    poses = [np.rot90(view, turns) for image in images for view in (image, image[:, ::-1]) for turns in range(4)]
    return np.stack([poses[number] for number in rng.permutation(len(poses))[:count]])


def _test_file(name: str) -> str:
    from pydicom.data import get_testdata_file

    return str(get_testdata_file(name, download=False) or _NIBABEL_FILES / name)


def noise(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Generate noise of five kinds: uniform, normal, sparse dots, blocks, and with a 1/f spectrum."""
    return np.stack([_NOISES[number % len(_NOISES)](size, rng) for number in range(count)])


def blank(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Generate constant images from black to white; a third with weak noise, a third with a weak gradient."""
    level = np.linspace(0, 255, -(-count // 3)).repeat(3)[:count, None, None]
    sigma, ramp = rng.uniform(1, 3, (count, 1, 1)), rng.uniform(5, 20, (count, 1, 1)) * np.linspace(-1, 1, size)
    kind = np.arange(count)[:, None, None] % 3
    noisy = level + sigma * rng.standard_normal((count, size, size))
    return _bytes(np.select([kind == 0, kind == 1], [level, noisy], level + ramp))


def text(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Generate pages of random words, dark on light and light on dark, in several font sizes."""
    return np.stack([_page(size, rng, dark=number % 2 == 0) for number in range(count)])


_LETTERS = list(string.ascii_letters + string.digits + 12 * " ")


def _page(size: int, rng: np.random.Generator, *, dark: bool) -> GreyImage:
    background, ink = (0, 255) if dark else (255, 0)
    page = Image.new("L", (size, size), background)
    height = int(rng.integers(size // 16, size // 5)) + 1
    lines = ["".join(line) for line in rng.choice(_LETTERS, (size // height + 1, 3 * size // height))]
    draw = ImageDraw.Draw(page)
    draw.multiline_text((size // 16, size // 16), "\n".join(lines), fill=ink, font=ImageFont.load_default(height))
    return np.asarray(page)


_GENERATORS: dict[str, Callable[[int, int, np.random.Generator], GreyImage]] = {
    "photos": photos,
    "anatomy": anatomy,
    "generated body": body,
    "generated neck": neck,
    "noise": noise,
    "blank": blank,
    "text": text,
}
"""Name of a set → function (count, size, rng) → images."""


def _uniform(size: int, rng: np.random.Generator) -> GreyImage:
    return rng.integers(0, 256, (size, size), np.uint8)


def _normal(size: int, rng: np.random.Generator) -> GreyImage:
    return _bytes(rng.normal(rng.uniform(20, 235), rng.uniform(10, 60), (size, size)))


def _dots(size: int, rng: np.random.Generator) -> GreyImage:
    return _bytes(255.0 * (rng.random((size, size)) < rng.uniform(0.005, 0.2)))


def _blocks(size: int, rng: np.random.Generator) -> GreyImage:
    coarse = rng.integers(0, 256, (rng.integers(3, 17),) * 2, np.uint8)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8)


def _pink(size: int, rng: np.random.Generator) -> GreyImage:
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = np.inf
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) / frequency).real
    return _bytes(rng.uniform(60, 190) + rng.uniform(20, 60) * field / field.std())


_NOISES = (_uniform, _normal, _dots, _blocks, _pink)


def _bytes(image: npt.NDArray[np.floating[Any]]) -> GreyImage:
    return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)
