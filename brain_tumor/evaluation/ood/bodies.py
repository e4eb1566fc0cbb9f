"""Drawn MR slices of other parts of the body."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from brain_tumor.data.phantom.imaging import SCANNERS, Map, Noise, ellipsoid, scan
from brain_tumor.types import GreyImage

Part = Callable[[Map, np.random.Generator], Map]
"""Function (points, rng) → brightness of tissue at these points."""


def body(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Generate slices of trunk and limbs."""
    return np.stack([_drawn(size, _BODY_PARTS, rng) for _ in range(count)])


def neck(count: int, size: int, rng: np.random.Generator) -> GreyImage:
    """Generate slices of the neck: airway, vessels, vertebra and spinal cord between muscles."""
    return np.stack([_drawn(size, [_neck], rng) for _ in range(count)])


_FAT, _MUSCLE, _MARROW, _ORGAN, _BLOOD = 0.9, 0.35, 0.75, 0.5, 0.15
"""Brightness of tissues in a T1-weighted image."""


def _drawn(size: int, parts: Sequence[Part], rng: np.random.Generator) -> GreyImage:
    """Generate one slice, uint8 [size, size], of one of the parts."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = np.meshgrid(-axis, axis, indexing="ij")
    points = np.stack([x, y, np.zeros_like(x)])
    tissue = parts[int(rng.integers(len(parts)))](points, rng)
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


def _neck(points: Map, rng: np.random.Generator) -> Map:
    x, y = radii = rng.uniform(0.5, 0.85, 2)
    tissue = _fat_around_muscle(points, radii, rng.uniform(0.04, 0.16))
    for side in (-x, x):
        tissue = _paint(tissue, points, (0.55 * side, 0.15 * y), rng.uniform(0.06, 0.12, 2) * radii, 0.2)  # vessels
        tissue = _paint(tissue, points, (0.6 * side, 0.35 * y), (0.16 * x, 0.22 * y), 0.45)  # muscles at the sides
        tissue = _paint(tissue, points, (0.35 * side, -0.5 * y), (0.3 * x, 0.25 * y), 0.3)  # muscles at the back
    tissue = _paint(tissue, points, (0, 0.45 * y), rng.uniform(0.12, 0.25, 2) * radii, 0.03)  # airway
    tissue = _paint(tissue, points, (0, -0.05 * y), (0.24 * x, 0.18 * y), _MARROW)
    tissue = _paint(tissue, points, (0, -0.3 * y), (0.18 * x, 0.13 * y), 0.1)  # spinal canal
    return _paint(tissue, points, (0, -0.3 * y), (0.1 * x, 0.08 * y), 0.5)  # spinal cord


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
