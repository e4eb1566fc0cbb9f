"""From tissue brightness to what a scanner delivers: bias field, blur, Rician noise, contrast curve, 8 bits."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.phantom.geometry import Map


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
    """Size of the head in the picture, relative."""


SCANNERS = {
    "site_a": Scanner(noise=0.015, bias=0.15, gamma=1.0, zoom=1.0),
    "site_b": Scanner(noise=0.025, bias=0.30, gamma=0.85, zoom=0.92),
    "site_c": Scanner(noise=0.035, bias=0.20, gamma=1.2, zoom=0.96),
}


def scan(tissue: Map, scanner: Scanner, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Picture a slice.

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
