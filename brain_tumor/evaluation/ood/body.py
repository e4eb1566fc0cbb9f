"""Generated slices of a trunk and of limbs: other anatomy on a black ground, scanned as the phantom heads are."""

import numpy as np
import numpy.typing as npt

from brain_tumor.data.phantom.geometry import Map, Noise, ellipsoid
from brain_tumor.data.phantom.scanner import SCANNERS, scan

_FAT, _MUSCLE, _MARROW, _ORGAN, _BLOOD = 0.9, 0.35, 0.75, 0.5, 0.15
"""Brightness in a T1-weighted picture."""


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
