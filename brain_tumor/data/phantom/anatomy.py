"""The anatomy of a head: paint its tissues into a slice of one contrast."""

from dataclasses import dataclass, field

import numpy as np

from brain_tumor.data.phantom.imaging import Map, Noise, depth_in_ellipsoid, ellipsoid, soft, symmetric

SCALP, SKULL, FLUID = 0.055, 0.065, 0.025
"""Thickness of the layers around the brain, in patient units."""
SELLA = (0.0, 0.16, -0.36)
"""Centre of the pituitary gland, in patient units."""

INTENSITY = {
    "T1": {
        "fat": 0.92,
        "muscle": 0.42,
        "bone": 0.07,
        "fluid": 0.15,
        "grey": 0.47,
        "white": 0.64,
        "vessel": 0.12,
        "gland": 0.55,
    },
    "T1c": {
        "fat": 0.92,
        "muscle": 0.45,
        "bone": 0.07,
        "fluid": 0.15,
        "grey": 0.49,
        "white": 0.62,
        "vessel": 0.95,
        "gland": 0.8,
    },
    "T2": {
        "fat": 0.72,
        "muscle": 0.25,
        "bone": 0.05,
        "fluid": 1.0,
        "grey": 0.62,
        "white": 0.44,
        "vessel": 0.05,
        "gland": 0.55,
    },
}
"""Contrast → tissue → brightness in [0, 1], before scanner effects."""


def paint(image: Map, region: Map, value: float | Map) -> None:
    """Paint a tissue over the image, in place.

    Args:
        image: Brightness float32 [H, W]; it is changed.
        region: Membership of the tissue's region in [0, 1], float32 [H, W].
        value: Brightness of the tissue.
    """
    image += region * (value - image)


@dataclass
class Head:
    """The individual anatomy of a patient: proportions, sulci and ventricles.

    Coordinates are patient units: x from left to right, y to the front, z up; the cranium is about 1.8 long.
    """

    rng: np.random.Generator
    """Source of the random anatomy."""
    radii: np.ndarray = field(init=False)
    """Radii of the cranium along x, y and z."""
    ventricles: float = field(init=False)
    """Relative size of the ventricles."""

    def __post_init__(self) -> None:
        self.radii = np.array([0.70, 0.90, 0.74]) * self.rng.uniform(0.93, 1.07, 3)
        self.ventricles = float(self.rng.uniform(0.7, 1.5))
        self._skull_shape, self._midline = Noise(self.rng, 1.1, waves=4), Noise(self.rng, 0.35, waves=6)
        self._sulci, self._texture = Noise(self.rng, 0.27, waves=10), Noise(self.rng, 0.10, waves=12)
        self._vessels = self.rng.uniform([-0.5, -0.6, -0.2], [0.5, 0.6, 0.6], size=(10, 3))
        self._white_matter_spots = self.rng.uniform(
            [-0.25, -0.35, 0.05], [0.25, 0.35, 0.3], size=(self.rng.integers(0, 5), 3)
        )

    def depth(self, points: Map) -> Map:
        """Depth below the surface of the scalp, without face and neck; negative outside."""
        return depth_in_ellipsoid(points, (0.0, 0.0, 0.08), self.radii) + 0.02 * self._skull_shape(points)

    def brain_depth(self, points: Map) -> Map:
        """Depth below the surface of the brain, whose base steps down from front to back; negative outside."""
        return self._brain_depth(self.depth(points), self._above_base(points))

    @staticmethod
    def _brain_depth(depth: Map, above_base: Map) -> Map:
        below_skull: Map = depth - SCALP - SKULL - FLUID
        return np.minimum(below_skull, above_base)

    @staticmethod
    def _above_base(points: Map) -> Map:
        """Height above the base of the skull."""
        y, z = points[1], points[2]
        base = -0.70 + 0.30 / (1 + np.exp(-(y + 0.12) / 0.04)) + 0.20 / (1 + np.exp(-(y - 0.34) / 0.05))
        return np.asarray((z - base) * 0.9, np.float32)

    def paint(self, points: Map, contrast: str) -> Map:
        """Paint a slice of the healthy head.

        Args:
            points: Patient coordinates of the slice, float32 [3, H, W].
            contrast: Key of `INTENSITY`.

        Returns:
            Brightness float32 [H, W] in [0, 1].
        """
        tone = INTENSITY[contrast]
        image = np.zeros(points.shape[1:], np.float32)
        depth, above_base, texture = self.depth(points), self._above_base(points), self._texture(points)
        flesh = tone["muscle"] * (1 + 0.2 * texture)
        self._paint_face_and_neck(image, points, flesh, tone)
        paint(image, soft(depth), tone["fat"])
        paint(image, soft(depth - SCALP), flesh)
        self._paint_airways_and_eyes(image, points, tone)
        inside = self._brain_depth(depth, above_base)
        paint(image, soft(np.minimum(depth - SCALP, above_base + SKULL)), tone["bone"])
        paint(image, soft(inside + FLUID), tone["fluid"])
        self._paint_cerebrum(image, points, inside, tone["white"] * (1 + 0.02 * texture), tone)
        self._paint_deep_structures(image, points, inside, tone, contrast)
        paint(image, ellipsoid(points, SELLA, (0.06, 0.045, 0.035)), tone["gland"])
        return image

    def _paint_face_and_neck(self, image: Map, points: Map, flesh: Map, tone: dict[str, float]) -> None:
        paint(image, ellipsoid(points, (0, 0.22, -0.5), (0.52, 0.64, 0.6)), tone["fat"])
        paint(image, ellipsoid(points, (0, 0.2, -0.5), (0.47, 0.58, 0.57)), flesh)
        neck = np.minimum(0.42 - np.hypot(points[0], points[1] + 0.22), -0.3 - points[2]).astype(np.float32)
        paint(image, soft(neck), flesh)
        paint(image, ellipsoid(points, (0, -0.3, -0.95), (0.12, 0.12, 0.35)), tone["fat"] * 0.5)  # vertebrae

    def _paint_airways_and_eyes(self, image: Map, points: Map, tone: dict[str, float]) -> None:
        both_sides = symmetric(points)
        paint(image, ellipsoid(points, (0, 0.5, -0.52), (0.12, 0.24, 0.15)), 0.02)
        paint(image, ellipsoid(points, (0, 0.12, -0.66), (0.10, 0.14, 0.12)), 0.02)
        paint(image, ellipsoid(both_sides, (0.27, 0.56, -0.30), (0.15, 0.2, 0.12)), tone["fat"])
        paint(image, ellipsoid(both_sides, (0.27, 0.62, -0.30), (0.11, 0.12, 0.10)), 0.9 * tone["fluid"])

    def _paint_cerebrum(self, image: Map, points: Map, inside: Map, white: Map, tone: dict[str, float]) -> None:
        """Paint white matter, and cortex along the surface and the sulci, which lie where their noise is zero."""
        sulcus = np.abs(self._sulci(points)) + np.clip(inside - 0.13, 0, None) * 12
        midline = np.abs(points[0] + 0.02 * self._midline(points)) * 20 + np.clip(inside - 0.32, 0, None) * 12
        furrow = np.minimum(sulcus, midline)
        paint(image, soft(inside), white)
        ribbon = np.maximum(soft(0.055 - inside), soft(0.55 - furrow, 0.25))
        paint(image, soft(inside) * ribbon, tone["grey"])
        paint(image, soft(inside) * soft(0.14 - furrow, 0.16), tone["fluid"])

    def _paint_deep_structures(
        self, image: Map, points: Map, inside: Map, tone: dict[str, float], contrast: str
    ) -> None:
        both_sides, brain = symmetric(points), soft(inside)
        nuclei = np.maximum(
            ellipsoid(both_sides, (0.11, -0.10, 0.02), (0.09, 0.14, 0.09)),
            ellipsoid(both_sides, (0.23, 0.08, 0.03), (0.07, 0.17, 0.10)),
        )
        paint(image, nuclei, 0.75 * tone["grey"] + 0.25 * tone["white"])
        cerebellum = depth_in_ellipsoid(points, (0, -0.48, -0.42), (0.48, 0.34, 0.27))
        leaves = 0.5 + 0.5 * np.sin(60 * np.hypot(points[1] + 0.3, points[2] + 0.4)).astype(np.float32)
        paint(image, soft(cerebellum + 0.02) * brain, tone["fluid"])
        paint(image, soft(cerebellum) * brain, tone["grey"] + (tone["white"] - tone["grey"]) * leaves)
        paint(image, ellipsoid(points, (0, -0.2, -0.5), (0.12, 0.12, 0.42)), 0.3 * tone["grey"] + 0.7 * tone["white"])
        size = self.ventricles
        fluid = [
            ellipsoid(both_sides, (0.10, 0.04, 0.15), (0.055 * size, 0.30, 0.07 * size)),
            ellipsoid(both_sides, (0.17, -0.26, 0.10), (0.055 * size, 0.15, 0.06 * size)),
            ellipsoid(points, (0, -0.02, 0.0), (0.022 * size, 0.13, 0.09)),
            ellipsoid(points, (0, -0.33, -0.42), (0.06, 0.05, 0.07)),
            ellipsoid(points, (0, 0.1, -0.26), (0.13, 0.12, 0.05)),  # suprasellar cistern
        ]
        paint(image, np.maximum.reduce(fluid), tone["fluid"])
        if contrast == "T1c":
            paint(image, ellipsoid(both_sides, (0.16, -0.22, 0.10), (0.02, 0.06, 0.02)), 0.9)  # choroid plexus
        for centre in self._vessels:
            paint(image, ellipsoid(points, centre, (0.018, 0.018, 0.05)) * brain, tone["vessel"])
        for centre in self._white_matter_spots:  # age-related changes
            paint(image, 0.8 * ellipsoid(points, centre, (0.03, 0.03, 0.03)) * brain, 0.9 if contrast == "T2" else 0.42)
