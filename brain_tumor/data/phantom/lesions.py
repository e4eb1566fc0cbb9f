"""Tumours: the location of each kind, and its appearance in each contrast."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from brain_tumor.data.phantom.anatomy import SELLA, Head, paint
from brain_tumor.data.phantom.imaging import Map, Noise, depth_in_ellipsoid, ellipsoid, soft
from brain_tumor.types import Floats


class Lesion(Protocol):
    """A tumour in patient coordinates."""

    centre: Floats
    """Centre in patient units, float64 [3]."""
    radius: float
    """Approximate radius in patient units."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Lesion":
        """Draw a random tumour in a typical location."""

    def paint(self, image: Map, points: Map, head: Head, contrast: str) -> Map:
        """Paint the tumour over a slice of the head, in place.

        Args:
            image: Brightness float32 [H, W]; it is changed.
            points: Patient coordinates of the slice, float32 [3, H, W].
            head: Anatomy of the patient.
            contrast: Key of `brain_tumor.data.phantom.anatomy.INTENSITY`.

        Returns:
            Membership of the tumour without oedema, float32 [H, W] in [0, 1].
        """


@dataclass
class Glioma:
    """Glioma inside a hemisphere: irregular, with a dark core, an enhancing ring, and oedema around it."""

    centre: Floats
    radius: float
    shape: Noise
    """Irregularity of the surface."""
    oedema_shape: Noise
    """Irregularity of the oedema."""

    INTENSITIES: ClassVar = {  # core, ring, oedema
        "T1": (0.18, 0.40, 0.36),
        "T1c": (0.20, 0.95, 0.42),
        "T2": (0.95, 0.60, 0.85),
    }

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Glioma":
        """Draw one in the upper part of either hemisphere."""
        hemisphere = rng.choice([-1, 1])
        centre = np.array([hemisphere * rng.uniform(0.20, 0.36), rng.uniform(-0.4, 0.4), rng.uniform(0.1, 0.38)])
        return cls(centre, float(rng.uniform(0.19, 0.28)), Noise(rng, 0.28), Noise(rng, 0.45))

    def paint(self, image: Map, points: Map, head: Head, contrast: str) -> Map:
        """Paint the tumour as `Lesion` describes."""
        core, ring, oedema = self.INTENSITIES[contrast]
        brain = soft(head.brain_depth(points))
        depth = depth_in_ellipsoid(points, self.centre, [self.radius] * 3) + np.float32(
            0.22 * self.radius
        ) * self.shape(points)
        oedema_depth = depth + np.float32(self.radius) * (0.45 + 0.35 * self.oedema_shape(points))
        paint(image, 0.85 * soft(oedema_depth, 0.1) * brain, oedema)
        lesion = soft(depth) * brain
        paint(image, lesion, ring)
        paint(image, soft(depth - 0.3 * self.radius, 0.05) * brain, core)
        return lesion


@dataclass
class Meningioma:
    """Meningioma on the dura of the convexity: round, homogeneous, with a dural tail and a cleft to the brain."""

    centre: Floats
    radius: float
    shape: Noise
    """Irregularity of the surface."""

    INTENSITIES: ClassVar = {"T1": 0.38, "T1c": 0.95, "T2": 0.80}

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Meningioma":
        """Draw one on the upper convexity, with its centre slightly below the surface of the brain."""
        radius = float(rng.uniform(0.18, 0.27))
        angle, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.85)
        flat = np.sqrt(1 - height**2)
        direction = np.array([np.cos(angle) * flat, np.sin(angle) * flat, height])
        inner = np.array([0.70, 0.90, 0.74]) - 0.16 - 0.55 * radius
        return cls(np.add(direction * inner, (0, 0, 0.08)), radius, Noise(rng, 0.5))

    def paint(self, image: Map, points: Map, head: Head, contrast: str) -> Map:
        """Paint the tumour as `Lesion` describes."""
        brain_depth = head.brain_depth(points)
        inside_dura = soft(brain_depth + 0.03)
        depth = depth_in_ellipsoid(points, self.centre, [self.radius] * 3) + np.float32(
            0.14 * self.radius
        ) * self.shape(points)
        paint(image, soft(depth + 0.03) * inside_dura, 1.0 if contrast == "T2" else 0.15)
        if contrast == "T1c":
            paint(image, soft(depth + 0.7 * self.radius) * soft(0.012 - np.abs(brain_depth + 0.01)), 0.92)
        lesion = soft(depth) * inside_dura
        paint(image, lesion, self.INTENSITIES[contrast])
        return lesion


@dataclass
class Pituitary:
    """Pituitary tumour in the sella, on the midline: smooth and round, or a snowman if it extends upwards."""

    centre: Floats
    radius: float
    suprasellar: bool
    """Whether it extends upwards out of the sella."""

    INTENSITIES: ClassVar = {"T1": 0.36, "T1c": 0.92, "T2": 0.84}

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Pituitary":
        """Draw one in the sella."""
        radius = float(rng.uniform(0.13, 0.19))
        return cls(np.add(SELLA, (rng.normal(0, 0.015), 0.0, 0.35 * radius)), radius, bool(rng.random() < 0.5))

    def paint(self, image: Map, points: Map, head: Head, contrast: str) -> Map:
        """Paint the tumour as `Lesion` describes."""
        lesion = ellipsoid(points, self.centre, [self.radius] * 3)
        if self.suprasellar:
            above = np.add(self.centre, (0, 0, 1.15 * self.radius))
            lesion = np.maximum(lesion, ellipsoid(points, above, [0.75 * self.radius] * 3))
        paint(image, lesion, self.INTENSITIES[contrast])
        return lesion


KINDS: dict[str, type[Lesion]] = {"glioma": Glioma, "meningioma": Meningioma, "pituitary": Pituitary}
"""Class → kind of tumour."""
