"""Soft shapes and smooth noise in patient coordinates, and the simulation of a scanner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.types import GreyImage

Map = npt.NDArray[np.float32]
Vector = Sequence[float] | npt.NDArray[np.float64]
EDGE = 0.02
"""Width of the transition at the surface of a region, in patient units."""


def soft(depth: npt.NDArray[np.floating[Any]], edge: float = EDGE) -> Map:
    """Membership of a region in [0, 1] from the depth inside it, with a smooth transition of width ``edge``."""
    t = np.clip(depth * np.float32(1 / edge) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def depth_in_ellipsoid(points: Map, centre: Vector, radii: Vector) -> Map:
    """Depth inside an ellipsoid, float32 [H, W]; negative outside, exact on the axes."""
    scaled = [(points[axis] - np.float32(centre[axis])) * np.float32(1 / radii[axis]) for axis in range(3)]
    r = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
    return np.asarray((1 - r) * min(radii), np.float32)


def ellipsoid(points: Map, centre: Vector, radii: Vector) -> Map:
    """Membership of an ellipsoid with a soft surface, float32 [H, W] in [0, 1]."""
    return soft(depth_in_ellipsoid(points, centre, radii))


def symmetric(points: Map) -> Map:
    """Map points of both hemispheres to one: a shape that is drawn there appears on both sides of the head."""
    return np.stack([np.abs(points[0]), points[1], points[2]])


class Noise:
    """Smooth random noise: plane waves of random direction, of about unit variance.

    Args:
        rng: Source of random directions and phases.
        wavelength: Typical wavelength in patient units.
        waves: Number of waves that are summed.
    """

    def __init__(self, rng: np.random.Generator, wavelength: float, waves: int = 8) -> None:
        direction = rng.normal(size=(waves, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        stretch = rng.uniform(0.7, 1.4, size=(waves, 1))
        self._k = (direction * stretch * 2 * np.pi / wavelength).astype(np.float32)
        self._phase = rng.uniform(0, 2 * np.pi, size=waves).astype(np.float32)

    def __call__(self, points: Map) -> Map:
        """Evaluate the noise at points float32 [3, H, W], float32 [H, W]."""
        angles = np.tensordot(self._k, points, axes=1) + self._phase[:, None, None]
        return np.asarray(np.sin(angles).sum(axis=0) * np.float32(np.sqrt(2 / len(self._k))), np.float32)


@dataclass(frozen=True)
class Scanner:
    """Imaging properties of one site; they are independent of the tumours."""

    noise: float
    """Standard deviation of the noise in each of the two receiver channels; full scale is 1."""
    bias: float
    """Strength of the bias field: roughly the relative change of brightness across the head."""
    gamma: float
    """Exponent of the contrast curve."""
    zoom: float
    """Relative size of the head in the image."""


SCANNERS = {
    "site_a": Scanner(noise=0.015, bias=0.15, gamma=1.0, zoom=1.0),
    "site_b": Scanner(noise=0.025, bias=0.30, gamma=0.85, zoom=0.92),
    "site_c": Scanner(noise=0.035, bias=0.20, gamma=1.2, zoom=0.96),
}
"""Name of the site → its imaging properties."""


def scan(tissue: Map, scanner: Scanner, rng: np.random.Generator) -> GreyImage:
    """Simulate the scan of a slice.

    Args:
        tissue: Brightness in [0, 1], float32 [N, N].
        scanner: Imaging properties of the site.
        rng: Source of the random bias field, noise and gain.

    Returns:
        Grey image uint8 [N, N].
    """
    size = len(tissue)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    terms = (x, y, x * y, x * x - 0.5, y * y - 0.5)
    field = np.exp(sum(weight * term for weight, term in zip(rng.normal(0, scanner.bias / 2, 5), terms, strict=True)))
    signal = cv2.GaussianBlur(tissue * field, (0, 0), 0.45 * size / 128)
    real, imaginary = scanner.noise * rng.standard_normal((2, size, size), np.float32)
    magnitude = np.hypot(signal + real, imaginary)
    gain = rng.uniform(0.75, 1.0) / np.quantile(magnitude, 0.99)
    curve = np.clip(magnitude * gain, 0, 1) ** scanner.gamma
    return np.asarray(np.rint(255 * curve), np.uint8)
