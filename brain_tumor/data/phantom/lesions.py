"""Tumours: where each kind grows, and how it looks under each contrast."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from brain_tumor.data.phantom.anatomy import SELLA, Head, paint
from brain_tumor.data.phantom.imaging import Map, Noise, depth_in_ellipsoid, ellipsoid, soft


class Lesion(Protocol):
    """A tumour in patient coordinates."""

    centre: npt.NDArray[np.float64]
    radius: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Lesion":
        """One at a place where this kind grows."""

    def paint(self, image: Map, points: Map, head: Head, contrast: str) -> Map:
        """Lay it over the image, in place; return where it is (without oedema), soft, float32 [H, W]."""


@dataclass
class Glioma:
    """Inside a hemisphere: irregular, a dark core in an enhancing ring, oedema around it, the brain pushed aside."""

    centre: npt.NDArray[np.float64]
    radius: float
    shape: Noise
    swelling: Noise

    LOOKS = {  # core, ring, oedema  # noqa: RUF012 - a table
        "T1": (0.18, 0.40, 0.36),
        "T1c": (0.20, 0.95, 0.42),
        "T2": (0.95, 0.60, 0.85),
    }

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Glioma":
        """One somewhere in the upper hemispheres."""
        side = rng.choice([-1, 1])
        centre = np.array([side * rng.uniform(0.20, 0.36), rng.uniform(-0.4, 0.4), rng.uniform(0.1, 0.38)])
        return cls(centre, float(rng.uniform(0.19, 0.28)), Noise(rng, 0.28), Noise(rng, 0.45))

    def paint(self, image: Map, points: Map, head: Head, contrast: str) -> Map:
        """See `Lesion`."""
        core, ring, oedema = self.LOOKS[contrast]
        brain = soft(head.brain_depth(points))
        depth = depth_in_ellipsoid(points, self.centre, [self.radius] * 3) + np.float32(
            0.22 * self.radius
        ) * self.shape(points)
        around = depth + np.float32(self.radius) * (0.45 + 0.35 * self.swelling(points))
        paint(image, 0.85 * soft(around, 0.1) * brain, oedema)
        lesion = soft(depth) * brain
        paint(image, lesion, ring)
        paint(image, soft(depth - 0.3 * self.radius, 0.05) * brain, core)
        return lesion


@dataclass
class Meningioma:
    """On the dura of the convexity: round with a broad base and a tail along it, homogeneous, a cleft to the brain."""

    centre: npt.NDArray[np.float64]
    radius: float
    shape: Noise

    LOOKS = {"T1": 0.38, "T1c": 0.95, "T2": 0.80}  # noqa: RUF012 - a table

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Meningioma":
        """One on the upper convexity, its centre a little below the brain's surface."""
        radius = float(rng.uniform(0.18, 0.27))
        angle, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.85)
        flat = np.sqrt(1 - height**2)
        direction = np.array([np.cos(angle) * flat, np.sin(angle) * flat, height])
        inner = np.array([0.70, 0.90, 0.74]) - 0.16 - 0.55 * radius
        return cls(np.add(direction * inner, (0, 0, 0.08)), radius, Noise(rng, 0.5))

    def paint(self, image: Map, points: Map, head: Head, contrast: str) -> Map:
        """See `Lesion`."""
        below = head.brain_depth(points)
        within = soft(below + 0.03)
        depth = depth_in_ellipsoid(points, self.centre, [self.radius] * 3) + np.float32(
            0.14 * self.radius
        ) * self.shape(points)
        paint(image, soft(depth + 0.03) * within, 1.0 if contrast == "T2" else 0.15)
        if contrast == "T1c":
            paint(image, soft(depth + 0.7 * self.radius) * soft(0.012 - np.abs(below + 0.01)), 0.92)
        lesion = soft(depth) * within
        paint(image, lesion, self.LOOKS[contrast])
        return lesion


@dataclass
class Pituitary:
    """In the sella, on the midline: smooth and round, or a snowman where it grows upwards out of it."""

    centre: npt.NDArray[np.float64]
    radius: float
    grows_up: bool

    LOOKS = {"T1": 0.36, "T1c": 0.92, "T2": 0.84}  # noqa: RUF012 - a table

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Pituitary":
        """One in the sella."""
        radius = float(rng.uniform(0.13, 0.19))
        return cls(np.add(SELLA, (rng.normal(0, 0.015), 0.0, 0.35 * radius)), radius, bool(rng.random() < 0.5))

    def paint(self, image: Map, points: Map, head: Head, contrast: str) -> Map:
        """See `Lesion`."""
        lesion = ellipsoid(points, self.centre, [self.radius] * 3)
        if self.grows_up:
            above = np.add(self.centre, (0, 0, 1.15 * self.radius))
            lesion = np.maximum(lesion, ellipsoid(points, above, [0.75 * self.radius] * 3))
        paint(image, lesion, self.LOOKS[contrast])
        return lesion


KINDS: dict[str, type[Lesion]] = {"glioma": Glioma, "meningioma": Meningioma, "pituitary": Pituitary}
