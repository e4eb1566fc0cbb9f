"""Sets of images that are no brain MR slices, to measure what an OOD detector misses; nothing is downloaded."""

import string
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from brain_tumor.data.cache.decoding import fit_square
from brain_tumor.data.phantom.imaging import SCANNERS, Map, Noise, ellipsoid, scan
from brain_tumor.data.readers.raster import grey_image
from brain_tumor.data.readers.reading import read_grey
from brain_tumor.types import GreyImage

_FAT, _MUSCLE, _MARROW, _ORGAN, _BLOOD = 0.9, 0.35, 0.75, 0.5, 0.15
"""Brightness in a T1-weighted image."""


def generated_body(size: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One slice, uint8 [size, size]: of a chest, a belly, a thigh (one bone), or a forearm (two bones)."""
    side = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = np.meshgrid(-side, side, indexing="ij")
    points = np.stack([x, y, np.zeros_like(x)])
    tissue = _KINDS[rng.integers(len(_KINDS))](points, rng)
    texture = 1 + 0.06 * Noise(rng, wavelength=0.15)(points)
    return scan(np.asarray(tissue * texture, np.float32), SCANNERS[str(rng.choice(list(SCANNERS)))], rng)


def _chest(points: Map, rng: np.random.Generator) -> Map:
    tissue = _trunk(points, rng)
    for x in (-0.4, 0.4):
        lung = rng.uniform(0.9, 1.1, 2) * (0.27, 0.36)
        tissue = _paint(tissue, points, (x, 0.05), lung, 0.02)
    tissue = _paint(tissue, points, (0.12, 0.12), rng.uniform(0.15, 0.24, 2), _BLOOD)
    return _spine(tissue, points)


def _belly(points: Map, rng: np.random.Generator) -> Map:
    tissue = _trunk(points, rng)
    tissue = _paint(tissue, points, (-0.38, 0.12), (0.34, 0.3), _ORGAN)  # liver
    tissue = _paint(tissue, points, (0.45, 0.12), rng.uniform(0.1, 0.2, 2), 0.4)  # spleen
    for x in (-0.3, 0.3):
        tissue = _paint(tissue, points, (x, -0.25), (0.1, 0.13), 0.45)  # kidneys
    for _ in range(rng.integers(4, 9)):
        tissue = _paint(tissue, points, rng.uniform((-0.1, 0.0), (0.35, 0.4)), rng.uniform(0.04, 0.09, 2), 0.3)  # bowel
    return _spine(tissue, points)


def _thigh(points: Map, rng: np.random.Generator) -> Map:
    return _bone(_limb(points, rng), points, rng.uniform(-0.1, 0.1, 2), 0.17)


def _forearm(points: Map, rng: np.random.Generator) -> Map:
    tissue = _limb(points, rng)
    for x in (-0.25, 0.25):
        tissue = _bone(tissue, points, (x, rng.uniform(-0.1, 0.1)), rng.uniform(0.1, 0.15))
    return tissue


_KINDS = (_chest, _belly, _thigh, _forearm)


def _trunk(points: Map, rng: np.random.Generator) -> Map:
    outer = np.array([rng.uniform(0.85, 0.96), rng.uniform(0.55, 0.72)])
    return _skin(points, outer, rng.uniform(0.05, 0.12))


def _limb(points: Map, rng: np.random.Generator) -> Map:
    return _skin(points, rng.uniform(0.6, 0.85, 2), rng.uniform(0.06, 0.18))


def _skin(points: Map, radii: npt.NDArray[np.float64], fat: float) -> Map:
    """Fat around muscle."""
    return _paint(_paint(np.zeros_like(points[0]), points, (0, 0), radii, _FAT), points, (0, 0), radii - fat, _MUSCLE)


def _spine(tissue: Map, points: Map) -> Map:
    tissue = _paint(tissue, points, (0, -0.32), (0.14, 0.11), _MARROW)
    return _paint(tissue, points, (0, -0.47), (0.05, 0.04), _BLOOD)  # its canal


def _bone(tissue: Map, points: Map, centre: npt.ArrayLike, radius: float) -> Map:
    """Dark cortex around bright marrow."""
    for share, brightness in ((1.0, 0.03), (0.65, _MARROW)):
        tissue = _paint(tissue, points, centre, (share * radius, share * radius), brightness)
    return tissue


def _paint(tissue: Map, points: Map, centre: npt.ArrayLike, radii: npt.ArrayLike, brightness: float) -> Map:
    inside = ellipsoid(points, [*np.asarray(centre), 0.0], [*np.asarray(radii), 1.0])
    return np.asarray(tissue + inside * (np.float32(brightness) - tissue), np.float32)


ANATOMY = {
    "examples_overlay.dcm": "MR of the belly",
    "CT_small.dcm": "CT of the spine",
    "J2K_pixelrep_mismatch.dcm": "CT of the head",
    "JPEG2000.dcm": "bone scan of the whole body",
    "examples_jpeg2k.dcm": "ultrasound of a lymph node",
    "examples_palette.dcm": "ultrasound, mostly dark",
}
"""Files of pydicom that show another part of a body, or another modality, and what they show."""


def ood_sets(size: int, count: int = 200, seed: int = 0, scans: GreyImage | None = None) -> dict[str, GreyImage]:
    """All sets.

    Args:
        size: Side of the images, S.
        count: Images in a set; of ``anatomy`` there are only as many as its sources have poses.
        seed: Same seed, same images.
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


def photos(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Square crops of three photographs: a temple, a flower, a person."""
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
    """Real images of `ANATOMY`, each in its eight poses (mirrored, turned by quarters)."""
    from pydicom.data import get_testdata_file

    paths = [str(get_testdata_file(name, download=False)) for name in ANATOMY]
    slices = [fit_square(read_grey(path), size) for path in paths]
    poses = [np.rot90(side, turns) for one in slices for side in (one, one[:, ::-1]) for turns in range(4)]
    return np.stack([poses[number] for number in rng.permutation(len(poses))[:count]])


def body(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Generated slices of trunk and limbs."""
    return np.stack([generated_body(size, rng) for _ in range(count)])


def noise(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Noise of five kinds: uniform, normal, sparse dots, blocks, and of a 1/f spectrum."""
    return np.stack([_NOISES[number % len(_NOISES)](size, rng) for number in range(count)])


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


def blank(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Black, white and all greys between; a third of them with a little noise, a third with a faint gradient."""
    level = np.linspace(0, 255, -(-count // 3)).repeat(3)[:count, None, None]
    weak, ramp = rng.uniform(1, 3, (count, 1, 1)), rng.uniform(5, 20, (count, 1, 1)) * np.linspace(-1, 1, size)
    kind = np.arange(count)[:, None, None] % 3
    noisy = level + weak * rng.standard_normal((count, size, size))
    return _bytes(np.select([kind == 0, kind == 1], [level, noisy], level + ramp))


def text(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Pages of random words, dark on light and light on dark, in letters of several sizes."""
    return np.stack([_page(size, rng, dark=number % 2 == 0) for number in range(count)])


_LETTERS = list(string.ascii_letters + string.digits + 12 * " ")


def _page(size: int, rng: np.random.Generator, *, dark: bool) -> GreyImage:
    ground, ink = (0, 255) if dark else (255, 0)
    page = Image.new("L", (size, size), ground)
    height = int(rng.integers(size // 16, size // 5)) + 1
    lines = ["".join(line) for line in rng.choice(_LETTERS, (size // height + 1, 3 * size // height))]
    draw = ImageDraw.Draw(page)
    draw.multiline_text((size // 16, size // 16), "\n".join(lines), fill=ink, font=ImageFont.load_default(height))
    return np.asarray(page)


def _inverted(scan: GreyImage, _: np.random.Generator) -> GreyImage:
    return 255 - scan


def _shuffled(scan: GreyImage, rng: np.random.Generator) -> GreyImage:
    """A scan cut into 4 × 4 tiles that change places; what is left at the edges of odd sizes stays."""
    tile, image = len(scan) // 4, scan.copy()
    corners = [(tile * row, tile * column) for row, column in np.ndindex(4, 4)]
    for (top, left), number in zip(corners, rng.permutation(16), strict=True):
        y, x = corners[number]
        image[top : top + tile, left : left + tile] = scan[y : y + tile, x : x + tile]
    return image


_SETS: dict[str, Callable[[int, int, np.random.Generator], GreyImage]] = {
    "photos": photos,
    "anatomy": anatomy,
    "generated body": body,
    "noise": noise,
    "blank": blank,
    "text": text,
}
_OF_SCANS: dict[str, Callable[[GreyImage, np.random.Generator], GreyImage]] = {
    "inverted": _inverted,
    "shuffled": _shuffled,
}


def _bytes(image: npt.NDArray[np.floating[Any]]) -> GreyImage:
    return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)
