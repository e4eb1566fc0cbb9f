"""Soft shapes and smooth noise in patient coordinates.

Axes: x to the patient's left, y to the front, z upwards; one unit is about half the length of a head (9 cm). ``points``
are float32 [3, H, W]; a shape is float32 [H, W], 1 inside and 0 outside with an edge of about a pixel.
"""

from collections.abc import Sequence
from typing import Any

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
