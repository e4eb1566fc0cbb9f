"""The corruptions of the sweep, each at five severities from barely visible (1) to strong (5).

Levels were chosen by eye on four slices of nickparvar at 128 px: at 1 a reader has to compare to see it, at 3 nobody
misses it, at 5 the picture is poor and its tumour is still seen. `corruption_examples` in
`brain_tumor.evaluation.robustness.figures` shows them.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brain_tumor.evaluation.robustness import effects

Picture = npt.NDArray[np.uint8]
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """An effect and how strong it is at each severity."""

    effect: Callable[[Picture, float, np.random.Generator], Picture]
    levels: tuple[float, float, float, float, float]
    """In the unit that the effect's docstring names."""


CORRUPTIONS = {
    "Rician noise": Corruption(effects.rician_noise, (4, 8, 14, 22, 32)),
    "Gaussian blur": Corruption(effects.gaussian_blur, (0.003, 0.005, 0.008, 0.012, 0.017)),
    "motion": Corruption(effects.motion, (0.004, 0.008, 0.014, 0.022, 0.032)),
    "ghosting": Corruption(effects.ghosting, (0.15, 0.3, 0.45, 0.6, 0.75)),
    "rotation": Corruption(effects.rotation, (3, 6, 10, 15, 22)),
    "off-centre zoom": Corruption(effects.zoom, (0.05, 0.1, 0.15, 0.22, 0.3)),
    "bias field": Corruption(effects.bias_field, (0.12, 0.25, 0.4, 0.6, 0.8)),
    "gamma": Corruption(effects.gamma, (0.12, 0.25, 0.4, 0.6, 0.85)),
    "brightness": Corruption(effects.brightness, (0.1, 0.2, 0.35, 0.5, 0.7)),
    "JPEG": Corruption(effects.jpeg, (25, 45, 65, 80, 90)),
    "downsampling": Corruption(effects.downsampling, (1.25, 1.6, 2.1, 2.8, 3.6)),
}
"""Name, as figures show it → corruption."""


def corrupt(name: str, picture: Picture, severity: int, rng: np.random.Generator) -> Picture:
    """Corrupt one picture.

    Args:
        name: One of `CORRUPTIONS`.
        picture: uint8 [H, W].
        severity: 1 … 5; 0 leaves the picture as it is.
        rng: Decides direction, place and noise; the same state at another severity draws the same, only stronger.

    Returns:
        uint8 [H, W], a new array.
    """
    if severity == 0:
        return picture.copy()
    corruption = CORRUPTIONS[name]
    return corruption.effect(picture, corruption.levels[severity - 1], rng)


def draw_of(name: str, seed: int, number: int) -> np.random.Generator:
    """What decides how picture ``number`` is corrupted: no other corruption, picture or severity has a part in it."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])
