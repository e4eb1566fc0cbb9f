"""Corruptions of images, each at five severities from barely visible (1) to strong (5)."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.types import Floats, GreyImage

Spectrum = npt.NDArray[np.complex128]
Generator = np.random.Generator


def rician_noise(image: GreyImage, level: float, rng: Generator) -> GreyImage:
    """Add noise to both channels of the signal and take its magnitude (Gudbjartsson & Patz 1995); level: σ in greys."""
    real, imaginary = level * rng.standard_normal((2, *image.shape), np.float32)
    return _grey(np.hypot(image + real, imaginary))


def gaussian_blur(image: GreyImage, level: float, _: Generator) -> GreyImage:
    """Blur an image; level: σ as a share of the side."""
    sigma = level * max(image.shape)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)


def motion(image: GreyImage, level: float, rng: Generator) -> GreyImage:
    """Move the head between groups of phase-encoding lines; level: deviation of the positions, as a share of the side.

    The lines in the middle of k-space hold most of the image and stay where they are: else it would only be shifted.
    """
    groups = 9

    def move(spectrum: Spectrum) -> Spectrum:
        line, column = (np.fft.fftfreq(side) for side in spectrum.shape)
        place = rng.standard_normal((groups, 2)) * level * max(image.shape)
        place[groups // 2] = 0
        along, across = place[((line + 0.5) * groups).astype(int)].T[..., None]
        phase: Floats = line[:, None] * along + column * across
        return np.asarray(spectrum * np.exp(-2j * np.pi * phase))

    return _in_k_space(image, rng, move)


def ghosting(image: GreyImage, level: float, rng: Generator) -> GreyImage:
    """Weaken every n-th phase-encoding line, which overlays faint copies of the head; level: share of signal lost."""
    every = int(rng.integers(2, 5))

    def weaken(spectrum: Spectrum) -> Spectrum:
        gain = np.ones(len(spectrum))
        gain[every - 1 :: every] -= level  # line 0, the mean of the image, stays
        return spectrum * gain[:, None]

    return _in_k_space(image, rng, weaken)


def rotation(image: GreyImage, level: float, rng: Generator) -> GreyImage:
    """Rotate about the centre, to either side; level: degrees."""
    height, width = image.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), _either(rng) * level, 1)
    return np.asarray(cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def zoom(image: GreyImage, level: float, rng: Generator) -> GreyImage:
    """Cut out a window at a random place and enlarge it; level: share of the side that is cut away."""
    height, width = image.shape
    rows, columns = max(2, round(height * (1 - level))), max(2, round(width * (1 - level)))
    top, left = (rng.random(2) * (height - rows, width - columns)).round().astype(int)
    window = image[top : top + rows, left : left + columns]
    return np.asarray(cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def bias_field(image: GreyImage, level: float, rng: Generator) -> GreyImage:
    """Let brightness drift across the head: the exponential of a smooth polynomial (Van Leemput 1999).

    Level: largest log-gain in the head, above or below its mean; values are clipped at white.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in image.shape), indexing="ij")
    terms = np.stack([x, y, x * y, x**2 - 1 / 3, y**2 - 1 / 3])
    field = np.tensordot(rng.standard_normal(5), terms, axes=1)
    head = field[image > 10] if (image > 10).any() else field
    reach = max(np.abs(head - head.mean()).max(), 1e-9)
    return _grey(image * np.exp(level * (field - head.mean()) / reach))


def gamma(image: GreyImage, level: float, rng: Generator) -> GreyImage:
    """Darken or brighten mid-greys by a power law; level: log of the exponent, positive or negative."""
    return _by_table(image, 255 * (np.arange(256) / 255) ** np.exp(_either(rng) * level))


def brightness(image: GreyImage, level: float, rng: Generator) -> GreyImage:
    """Scale all greys, clipped at white; level: log of the factor, positive or negative."""
    return _by_table(image, np.arange(256) * np.exp(_either(rng) * level))


def jpeg(image: GreyImage, level: float, _: Generator) -> GreyImage:
    """Compress as JPEG; level: 100 − quality."""
    stored = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, round(100 - level)])[1]
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)


def downsampling(image: GreyImage, level: float, _: Generator) -> GreyImage:
    """Shrink and enlarge again; level: number of pixels that become one, along each side."""
    height, width = image.shape
    small = cv2.resize(image, (round(width / level), round(height / level)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _either(rng: Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _grey(values: npt.NDArray[np.floating]) -> GreyImage:
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


def _by_table(image: GreyImage, table: Floats) -> GreyImage:
    return _grey(table)[image]


def _in_k_space(image: GreyImage, rng: Generator, change: Callable[[Spectrum], Spectrum]) -> GreyImage:
    """Change the spectrum of an image whose phase-encoding lines, the rows of k-space, run left–right or up–down."""
    upright = rng.random() < 0.5
    changed = np.abs(np.fft.ifft2(change(np.fft.fft2(image if upright else image.T))))
    return _grey(changed if upright else changed.T)


SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """An effect and its strength at each severity."""

    effect: Callable[[GreyImage, float, np.random.Generator], GreyImage]
    levels: tuple[float, float, float, float, float]
    """Levels at severities 1 to 5, in the unit that the docstring of the effect names."""


CORRUPTIONS = {
    "Rician noise": Corruption(rician_noise, (4, 8, 14, 22, 32)),
    "Gaussian blur": Corruption(gaussian_blur, (0.003, 0.005, 0.008, 0.012, 0.017)),
    "motion": Corruption(motion, (0.004, 0.008, 0.014, 0.022, 0.032)),
    "ghosting": Corruption(ghosting, (0.15, 0.3, 0.45, 0.6, 0.75)),
    "rotation": Corruption(rotation, (3, 6, 10, 15, 22)),
    "off-centre zoom": Corruption(zoom, (0.05, 0.1, 0.15, 0.22, 0.3)),
    "bias field": Corruption(bias_field, (0.12, 0.25, 0.4, 0.6, 0.8)),
    "gamma": Corruption(gamma, (0.12, 0.25, 0.4, 0.6, 0.85)),
    "brightness": Corruption(brightness, (0.1, 0.2, 0.35, 0.5, 0.7)),
    "JPEG": Corruption(jpeg, (25, 45, 65, 80, 90)),
    "downsampling": Corruption(downsampling, (1.25, 1.6, 2.1, 2.8, 3.6)),
}
"""Name in figures → corruption."""


def corrupt(name: str, image: GreyImage, severity: int, rng: np.random.Generator) -> GreyImage:
    """Corrupt one image.

    Args:
        name: One of `CORRUPTIONS`.
        image: uint8 [H, W].
        severity: Severity 1 … 5; 0 leaves the image as it is.
        rng: Generator of direction, place and noise; from the same state, another severity differs in strength only.

    Returns:
        uint8 [H, W], a new array.
    """
    if severity == 0:
        return image.copy()
    corruption = CORRUPTIONS[name]
    return corruption.effect(image, corruption.levels[severity - 1], rng)


def draw_of(name: str, seed: int, number: int) -> np.random.Generator:
    """Return the generator of one corruption of image ``number``, independent of all other corruptions and images."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])
