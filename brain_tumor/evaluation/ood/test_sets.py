"""Sets of images that are no brain MR slices, to measure which of them an OOD detector misses; none is downloaded."""

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
from brain_tumor.data.readers.reading import read_image
from brain_tumor.types import GreyImage

ANATOMY = {
    "examples_overlay.dcm": "MR of the abdomen",
    "CT_small.dcm": "CT of the spine",
    "J2K_pixelrep_mismatch.dcm": "CT of the head",
    "JPEG2000.dcm": "bone scan of the whole body",
    "examples_jpeg2k.dcm": "ultrasound of a lymph node",
    "examples_palette.dcm": "ultrasound, mostly dark",
}
"""File of pydicom → its content: another part of the body, or another modality."""


def ood_sets(size: int, count: int = 200, seed: int = 0, scans: GreyImage | None = None) -> dict[str, GreyImage]:
    """Make all sets of OOD images.

    Args:
        size: Image height and width in pixels, S.
        count: Number of images per set; ``anatomy`` has at most eight per source file.
        seed: Seed of the random images.
        scans: Brain MR slices uint8 [N, S, S], from which ``inverted`` and ``shuffled`` are made; without scans these
            two sets are left out.

    Returns:
        Name → images uint8 [count, S, S].
    """
    sets = {
        name: make(count, size, np.random.default_rng([seed, number]))
        for number, (name, make) in enumerate(_GENERATORS.items())
    }
    if scans is not None:
        for number, (name, change) in enumerate(_SCAN_CHANGES.items(), len(_GENERATORS)):
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
    from pydicom.data import get_testdata_file

    paths = [str(get_testdata_file(name, download=False)) for name in ANATOMY]
    images = [fit_square(read_image(path), size) for path in paths]
    poses = [np.rot90(view, turns) for image in images for view in (image, image[:, ::-1]) for turns in range(4)]
    return np.stack([poses[number] for number in rng.permutation(len(poses))[:count]])


def body(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Generate slices of trunk and limbs."""
    return np.stack([_body_slice(size, rng) for _ in range(count)])


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
    "noise": noise,
    "blank": blank,
    "text": text,
}
"""Name of a set → function (count, size, rng) → images."""


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


_SCAN_CHANGES: dict[str, Callable[[GreyImage, np.random.Generator], GreyImage]] = {
    "inverted": _inverted,
    "shuffled": _shuffled,
}
"""Name of a set → function (scan, rng) → image."""


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


_FAT, _MUSCLE, _MARROW, _ORGAN, _BLOOD = 0.9, 0.35, 0.75, 0.5, 0.15
"""Brightness of tissues in a T1-weighted image."""


def _body_slice(size: int, rng: np.random.Generator) -> GreyImage:
    """Generate one slice, uint8 [size, size], of a chest, an abdomen, a thigh or a forearm."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = np.meshgrid(-axis, axis, indexing="ij")
    points = np.stack([x, y, np.zeros_like(x)])
    tissue = _BODY_PARTS[rng.integers(len(_BODY_PARTS))](points, rng)
    texture = 1 + 0.06 * Noise(rng, wavelength=0.15)(points)
    return scan(np.asarray(tissue * texture, np.float32), SCANNERS[str(rng.choice(list(SCANNERS)))], rng)


def _chest(points: Map, rng: np.random.Generator) -> Map:
    tissue = _trunk(points, rng)
    for x in (-0.4, 0.4):
        lung = rng.uniform(0.9, 1.1, 2) * (0.27, 0.36)
        tissue = _paint(tissue, points, (x, 0.05), lung, 0.02)
    tissue = _paint(tissue, points, (0.12, 0.12), rng.uniform(0.15, 0.24, 2), _BLOOD)  # heart
    return _spine(tissue, points)


def _abdomen(points: Map, rng: np.random.Generator) -> Map:
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


_BODY_PARTS = (_chest, _abdomen, _thigh, _forearm)


def _trunk(points: Map, rng: np.random.Generator) -> Map:
    radii = np.array([rng.uniform(0.85, 0.96), rng.uniform(0.55, 0.72)])
    return _fat_around_muscle(points, radii, rng.uniform(0.05, 0.12))


def _limb(points: Map, rng: np.random.Generator) -> Map:
    return _fat_around_muscle(points, rng.uniform(0.6, 0.85, 2), rng.uniform(0.06, 0.18))


def _fat_around_muscle(points: Map, radii: npt.NDArray[np.float64], fat: float) -> Map:
    tissue = _paint(np.zeros_like(points[0]), points, (0, 0), radii, _FAT)
    return _paint(tissue, points, (0, 0), radii - fat, _MUSCLE)


def _spine(tissue: Map, points: Map) -> Map:
    tissue = _paint(tissue, points, (0, -0.32), (0.14, 0.11), _MARROW)
    return _paint(tissue, points, (0, -0.47), (0.05, 0.04), _BLOOD)  # spinal canal


def _bone(tissue: Map, points: Map, centre: npt.ArrayLike, radius: float) -> Map:
    """Paint dark cortex around bright marrow."""
    for share, brightness in ((1.0, 0.03), (0.65, _MARROW)):
        tissue = _paint(tissue, points, centre, (share * radius, share * radius), brightness)
    return tissue


def _paint(tissue: Map, points: Map, centre: npt.ArrayLike, radii: npt.ArrayLike, brightness: float) -> Map:
    """Fill an ellipse, with soft edges."""
    inside = ellipsoid(points, [*np.asarray(centre), 0.0], [*np.asarray(radii), 1.0])
    return np.asarray(tissue + inside * (np.float32(brightness) - tissue), np.float32)
