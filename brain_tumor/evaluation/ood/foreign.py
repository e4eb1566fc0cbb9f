"""Sets of pictures that are no brain MR slices, to measure what a gate lets through; nothing is downloaded.

Each set is uint8 [N, S, S], grey, and the same for the same seed. Photographs and anatomy come from files that
scikit-learn, matplotlib and pydicom ship with their code: a few sources, of which crops or poses are taken, so that the
pictures of one set are not independent. Everything else is generated, or made of the scans themselves.
"""

import string
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from brain_tumor.data.decoding import fit_square
from brain_tumor.data.formats.raster import grey_picture
from brain_tumor.data.reading import read_grey
from brain_tumor.evaluation.ood.body import generated_body

Picture = npt.NDArray[np.uint8]
ANATOMY = {
    "examples_overlay.dcm": "MR of the belly",
    "CT_small.dcm": "CT of the spine",
    "J2K_pixelrep_mismatch.dcm": "CT of the head",
    "JPEG2000.dcm": "bone scan of the whole body",
    "examples_jpeg2k.dcm": "ultrasound of a lymph node",
    "examples_palette.dcm": "ultrasound, mostly dark",
}
"""Files of pydicom that show another part of a body, or another modality, and what they show."""


def foreign_sets(size: int, count: int = 200, seed: int = 0, scans: Picture | None = None) -> dict[str, Picture]:
    """All sets.

    Args:
        size: Side of the pictures, S.
        count: Pictures in a set; of ``anatomy`` there are only as many as its sources have poses.
        seed: Same seed, same pictures.
        scans: Brain MR slices uint8 [N, S, S], of which ``inverted`` and ``shuffled`` are made; without, those are left
            out.

    Returns:
        Name → uint8 [count, S, S].
    """
    found = {
        name: make(count, size, np.random.default_rng([seed, number]))
        for number, (name, make) in enumerate(_SETS.items())
    }
    if scans is not None:
        for number, (name, change) in enumerate(_OF_SCANS.items(), len(_SETS)):
            rng = np.random.default_rng([seed, number])
            chosen = scans[rng.permutation(len(scans))[:count]]
            found[name] = np.stack([change(scan, rng) for scan in chosen])
    return found


def photos(count: int, size: int, rng: np.random.Generator) -> Picture:
    """Square crops of three photographs: a temple, a flower, a person."""
    from matplotlib.cbook import get_sample_data
    from sklearn.datasets import load_sample_images

    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as person:
        sources = [grey_picture(person)]
    sources += [grey_picture(Image.fromarray(colours)) for colours in load_sample_images().images]
    return np.stack([fit_square(_crop(sources[number % len(sources)], rng), size) for number in range(count)])


def _crop(picture: Picture, rng: np.random.Generator) -> Picture:
    side = rng.integers(min(picture.shape) // 3, min(picture.shape), endpoint=True)
    top, left = (rng.integers(0, length - side, endpoint=True) for length in picture.shape)
    return picture[top : top + side, left : left + side]


def anatomy(count: int, size: int, rng: np.random.Generator) -> Picture:
    """Real pictures of `ANATOMY`, each in its eight poses (mirrored, turned by quarters)."""
    from pydicom.data import get_testdata_file

    paths = [str(get_testdata_file(name, download=False)) for name in ANATOMY]
    slices = [fit_square(read_grey(path), size) for path in paths]
    poses = [np.rot90(side, turns) for one in slices for side in (one, one[:, ::-1]) for turns in range(4)]
    return np.stack([poses[number] for number in rng.permutation(len(poses))[:count]])


def body(count: int, size: int, rng: np.random.Generator) -> Picture:
    """Generated slices of trunk and limbs."""
    return np.stack([generated_body(size, rng) for _ in range(count)])


def noise(count: int, size: int, rng: np.random.Generator) -> Picture:
    """Noise of five kinds: uniform, normal, sparse dots, blocks, and of a 1/f spectrum."""
    return np.stack([_NOISES[number % len(_NOISES)](size, rng) for number in range(count)])


def _uniform(size: int, rng: np.random.Generator) -> Picture:
    return rng.integers(0, 256, (size, size), np.uint8)


def _normal(size: int, rng: np.random.Generator) -> Picture:
    return _bytes(rng.normal(rng.uniform(20, 235), rng.uniform(10, 60), (size, size)))


def _dots(size: int, rng: np.random.Generator) -> Picture:
    return _bytes(255.0 * (rng.random((size, size)) < rng.uniform(0.005, 0.2)))


def _blocks(size: int, rng: np.random.Generator) -> Picture:
    coarse = rng.integers(0, 256, (rng.integers(3, 17),) * 2, np.uint8)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8)


def _pink(size: int, rng: np.random.Generator) -> Picture:
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = np.inf
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) / frequency).real
    return _bytes(rng.uniform(60, 190) + rng.uniform(20, 60) * field / field.std())


_NOISES = (_uniform, _normal, _dots, _blocks, _pink)


def blank(count: int, size: int, rng: np.random.Generator) -> Picture:
    """Black, white and all greys between; a third of them with a little noise, a third with a faint gradient."""
    level = np.linspace(0, 255, -(-count // 3)).repeat(3)[:count, None, None]
    weak, ramp = rng.uniform(1, 3, (count, 1, 1)), rng.uniform(5, 20, (count, 1, 1)) * np.linspace(-1, 1, size)
    kind = np.arange(count)[:, None, None] % 3
    noisy = level + weak * rng.standard_normal((count, size, size))
    return _bytes(np.select([kind == 0, kind == 1], [level, noisy], level + ramp))


def text(count: int, size: int, rng: np.random.Generator) -> Picture:
    """Pages of random words, dark on light and light on dark, in letters of several sizes."""
    return np.stack([_page(size, rng, dark=number % 2 == 0) for number in range(count)])


_LETTERS = list(string.ascii_letters + string.digits + 12 * " ")


def _page(size: int, rng: np.random.Generator, *, dark: bool) -> Picture:
    ground, ink = (0, 255) if dark else (255, 0)
    page = Image.new("L", (size, size), ground)
    height = int(rng.integers(size // 16, size // 5)) + 1
    lines = ["".join(line) for line in rng.choice(_LETTERS, (size // height + 1, 3 * size // height))]
    draw = ImageDraw.Draw(page)
    draw.multiline_text((size // 16, size // 16), "\n".join(lines), fill=ink, font=ImageFont.load_default(height))
    return np.asarray(page)


def _inverted(scan: Picture, _: np.random.Generator) -> Picture:
    return 255 - scan


def _shuffled(scan: Picture, rng: np.random.Generator) -> Picture:
    """A scan cut into 4 × 4 tiles that change places; what is left at the edges of odd sizes stays."""
    tile, picture = len(scan) // 4, scan.copy()
    corners = [(tile * row, tile * column) for row, column in np.ndindex(4, 4)]
    for (top, left), number in zip(corners, rng.permutation(16), strict=True):
        y, x = corners[number]
        picture[top : top + tile, left : left + tile] = scan[y : y + tile, x : x + tile]
    return picture


_SETS: dict[str, Callable[[int, int, np.random.Generator], Picture]] = {
    "photos": photos,
    "anatomy": anatomy,
    "generated body": body,
    "noise": noise,
    "blank": blank,
    "text": text,
}
_OF_SCANS: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {"inverted": _inverted, "shuffled": _shuffled}


def _bytes(picture: npt.NDArray[np.floating[Any]]) -> Picture:
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)
