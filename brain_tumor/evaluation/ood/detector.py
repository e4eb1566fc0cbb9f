"""The OOD detector: is an image unlike the scans that a model knows? Needs numpy alone, so that serving may use it.

Two things speak against an image. Its features lie far from those of scans: Mahalanobis distance (Lee 2018), here from
all classes together, since distances from each class did no better. And its logits name no class: energy
−logsumexp(logits) (Liu 2020). Each is told in standard deviations above what is usual for scans, and they are added.

The OOD score is how far this sum lies above a limit, which a stated share of scans exceeds: above 0 is rejected.
"""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from brain_tumor.types import Floats

Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Normal:
    """A normal distribution of features, whose covariance is kept along its main directions."""

    centre: Floats
    """[D]"""
    scale: Floats
    """[D], standard deviations, at least the median one: what follows is of features divided by them."""
    directions: Floats
    """[D, K], orthonormal."""
    variances: Floats
    """[K], along the directions."""
    rest: Floats
    """[1], variance along each of the other D − K directions."""

    def distance(self, features: Numbers) -> Floats:
        """Mahalanobis distance of features [B, D], divided by √D: float64 [B], about 1 for the distribution's own."""
        x = (features - self.centre) / self.scale
        squared = (x**2).sum(axis=1) / self.rest + (x @ self.directions) ** 2 @ (1 / self.variances - 1 / self.rest)
        found: Floats = np.sqrt(np.maximum(squared, 0) / x.shape[1])
        return found


def energy(logits: Numbers) -> Floats:
    """−logsumexp of logits [B, C]: float64 [B], high where no class is named."""
    top = logits.max(axis=1, keepdims=True).astype(np.float64)
    found: Floats = -(top[:, 0] + np.log(np.exp(logits - top).sum(axis=1)))
    return found


def combined_score(distance: Floats, energies: Floats, usual: Floats) -> Floats:
    """Both in standard deviations above what is ``usual`` (see `OODDetector`), added: float64 [B]."""
    found: Floats = ((np.stack([distance, energies], axis=1) - usual[:, 0]) / usual[:, 1]).sum(axis=1)
    return found


@dataclass(frozen=True)
class OODDetector:
    """A detector as it was fitted, see `brain_tumor.evaluation.ood.fit.fit_ood_detector`."""

    normal: Normal
    """Of the features of scans."""
    usual: Floats
    """[2, 2]: mean and standard deviation of the distance, and of the energy, of scans that were not fitted on."""
    limit: float
    """Of the sum of both, in those standard deviations."""
    reject_share: float
    """Share of scans that exceeds the limit."""
    images: int
    """Scans that the detector was fitted on."""

    def ood_score(self, features: Numbers, logits: Numbers) -> Floats:
        """How foreign B images are: float64 [B], in standard deviations of scans above the limit; above 0 is foreign.

        Args:
            features: [B, D], see `brain_tumor.models.protocol.features_and_logits`.
            logits: [B, C].
        """
        return combined_score(self.normal.distance(features), energy(logits), self.usual) - self.limit

    def to_bytes(self) -> bytes:
        """The detector as a safetensors file; the distribution in single precision."""
        arrays = {name: np.array([getattr(self, name)], np.float64) for name in _NUMBERS} | {"usual": self.usual}
        arrays |= {field.name: getattr(self.normal, field.name).astype(np.float32) for field in fields(Normal)}
        return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})  # it would mix up others

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The detector in a safetensors file.

        Raises:
            ValueError: It holds none.
        """
        try:
            arrays = {name: array.astype(np.float64) for name, array in load(content).items()}
            arrays.setdefault("reject_share", arrays.get("turned_away", np.zeros(0)))  # its name in version 0.1
            normal = Normal(**{field.name: arrays[field.name] for field in fields(Normal)})
            limit, reject_share, images = (arrays[name].item() for name in _NUMBERS)
            detector = cls(normal, arrays["usual"], limit, reject_share, int(images))
        except (SafetensorError, KeyError, OverflowError, ValueError) as error:
            raise ValueError(f"it cannot be read: {error}") from error
        width, kept = normal.centre.size, normal.variances.size
        shapes = {"centre": (width,), "scale": (width,), "directions": (width, kept), "variances": (kept,)}
        shapes |= {"rest": (1,), "usual": (2, 2)}
        if any(arrays[name].shape != shape for name, shape in shapes.items()):
            raise ValueError("its parts do not fit together")
        positive = np.concatenate([normal.scale, normal.variances, normal.rest, detector.usual[:, 1]])
        if not all(np.isfinite(array).all() for array in arrays.values()) or not (positive > 0).all():
            raise ValueError("its numbers make no sense")
        return detector


_NUMBERS = ("limit", "reject_share", "images")
