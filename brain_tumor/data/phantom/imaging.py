"""Soft shapes and smooth noise in patient coordinates, and what a scanner makes of tissue brightness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]
Vector = Sequence[float] | npt.NDArray[np.float64]
EDGE = 0.02


def soft(distance: npt.NDArray[np.floating[Any]], edge: float = EDGE) -> Map:
    """Membership of a region from the distance inside it: 0 to 1 over ``edge``, smoothly."""
    t = np.clip(distance * np.float32(1 / edge) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def depth_in_ellipsoid(points: Map, centre: Vector, radii: Vector) -> Map:
    """Distance inside an ellipsoid (negative outside), exact on its axes."""
    scaled = [(points[axis] - np.float32(centre[axis])) * np.float32(1 / radii[axis]) for axis in range(3)]
    r = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
    return np.asarray((1 - r) * min(radii), np.float32)


def ellipsoid(points: Map, centre: Vector, radii: Vector) -> Map:
    """A soft ellipsoid."""
    return soft(depth_in_ellipsoid(points, centre, radii))


def both_sides(points: Map) -> Map:
    """The points with the left half folded onto the right: what is drawn there is drawn twice."""
    return np.stack([np.abs(points[0]), points[1], points[2]])


class Noise:
    """Smooth random noise: plane waves of random direction, of about unit variance.

    Args:
        rng: Decides directions and phases.
        wavelength: Of the typical wave, in patient units.
        waves: How many are added up.
    """

    def __init__(self, rng: np.random.Generator, wavelength: float, waves: int = 8) -> None:
        direction = rng.normal(size=(waves, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        stretch = rng.uniform(0.7, 1.4, size=(waves, 1))
        self._k = (direction * stretch * 2 * np.pi / wavelength).astype(np.float32)
        self._phase = rng.uniform(0, 2 * np.pi, size=waves).astype(np.float32)

    def __call__(self, points: Map) -> Map:
        """Value at each point, float32 [H, W]."""
        angles = np.tensordot(self._k, points, axes=1) + self._phase[:, None, None]
        return np.asarray(np.sin(angles).sum(axis=0) * np.float32(np.sqrt(2 / len(self._k))), np.float32)


@dataclass(frozen=True)
class Scanner:
    """One site's habits; they have nothing to do with the tumours."""

    noise: float
    """Standard deviation in each of the two channels, of a full scale of 1."""
    bias: float
    """Strength of the bias field: about the relative change of brightness across the head."""
    gamma: float
    """Exponent of the contrast curve."""
    zoom: float
    """Size of the head in the image, relative."""


SCANNERS = {
    "site_a": Scanner(noise=0.015, bias=0.15, gamma=1.0, zoom=1.0),
    "site_b": Scanner(noise=0.025, bias=0.30, gamma=0.85, zoom=0.92),
    "site_c": Scanner(noise=0.035, bias=0.20, gamma=1.2, zoom=0.96),
}


def scan(tissue: Map, scanner: Scanner, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """GreyImage a slice.

    Args:
        tissue: float32 [N, N], brightness in [0, 1].
        scanner: The site.
        rng: Decides field, noise and gain of this slice.

    Returns:
        uint8 [N, N].
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
