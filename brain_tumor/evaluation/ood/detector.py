"""The OOD detector, which rejects images unlike the scans of validation; it needs numpy only, for use in serving.

It combines two scores: the Mahalanobis distance of the features (Lee 2018), here from the distribution of all classes
together, since a distribution per class was not better; and the energy −logsumexp(logits) (Liu 2020). Each is
standardised by its mean and standard deviation on scans, and both are added. The OOD score is this sum minus a limit
that a stated share of scans exceeds: an image with a score above 0 is rejected.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from brain_tumor.types import Floats

Numbers = npt.NDArray[np.floating[Any]]
"""Features or logits of any floating-point type."""


@dataclass(frozen=True)
class OODDetector:
    """A fitted OOD detector, see `brain_tumor.evaluation.ood.fit.fit_ood_detector`."""

    normal: "NormalDistribution"
    """Distribution of the features of scans."""
    statistics: Floats
    """[2, 2]: mean and standard deviation of the distance (first row) and of the energy (second row) of scans that the
    distribution was not fitted on."""
    limit: float
    """Largest sum of the standardised scores that is accepted."""
    reject_share: float
    """Share of scans that exceed the limit, in (0, 1)."""
    images: int
    """Number of scans that the detector was fitted on."""

    def ood_score(self, features: Numbers, logits: Numbers) -> Floats:
        """Compute OOD scores float64 [B]: higher is less like scans, above 0 is rejected.

        Args:
            features: Features [B, D], see `brain_tumor.models.features.features_and_logits`.
            logits: Logits [B, C].
        """
        return combined_score(self.normal.distance(features), energy(logits), self.statistics) - self.limit

    def to_bytes(self) -> bytes:
        """Serialise to safetensors, the distribution in single precision."""
        normal = self.normal
        distribution = {
            "centre": normal.centre,
            "scale": normal.scale,
            "directions": normal.directions,
            "variances": normal.variances,
            "rest": normal.residual_variance,
        }
        arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in distribution.items()}
        arrays["usual"] = np.ascontiguousarray(self.statistics, np.float64)  # `save` ignores strides
        for name in ("limit", "reject_share", "images"):
            arrays[name] = np.array([getattr(self, name)], np.float64)
        return save(arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Deserialise a detector.

        Raises:
            ValueError: The content is no valid detector.
        """
        try:
            arrays = {name: array.astype(np.float64) for name, array in load(content).items()}
            if "turned_away" in arrays:  # version 0.1
                arrays.setdefault("reject_share", arrays["turned_away"])
            normal = NormalDistribution(
                arrays["centre"], arrays["scale"], arrays["directions"], arrays["variances"], arrays["rest"]
            )
            detector = cls(
                normal=normal,
                statistics=arrays["usual"],
                limit=arrays["limit"].item(),
                reject_share=arrays["reject_share"].item(),
                images=int(arrays["images"].item()),
            )
        except (SafetensorError, KeyError, OverflowError, ValueError) as error:
            raise ValueError(f"it cannot be read: {error}") from error
        width, directions = normal.centre.size, normal.variances.size
        shapes = {"centre": (width,), "scale": (width,), "directions": (width, directions), "variances": (directions,)}
        shapes |= {"rest": (1,), "usual": (2, 2)}
        if any(arrays[name].shape != shape for name, shape in shapes.items()):
            raise ValueError("the shapes of its arrays do not match")
        positive = np.concatenate([normal.scale, normal.variances, normal.residual_variance, detector.statistics[:, 1]])
        if not all(np.isfinite(array).all() for array in arrays.values()) or not (positive > 0).all():
            raise ValueError("it has values that are not finite, or deviations that are not above 0")
        return detector


@dataclass(frozen=True)
class NormalDistribution:
    """A normal distribution of features, with its covariance reduced to the principal directions."""

    centre: Floats
    """[D], mean."""
    scale: Floats
    """[D], standard deviations, at least their median. The other fields describe features divided by them."""
    directions: Floats
    """[D, K], orthonormal principal directions."""
    variances: Floats
    """[K], variances along the principal directions."""
    residual_variance: Floats
    """[1], variance along each of the other D − K directions."""

    def distance(self, features: Numbers) -> Floats:
        """Compute the Mahalanobis distance of features [B, D], divided by √D: float64 [B], about 1 for typical ones."""
        x = (features - self.centre) / self.scale
        residual = self.residual_variance
        squared = (x**2).sum(axis=1) / residual + (x @ self.directions) ** 2 @ (1 / self.variances - 1 / residual)
        distance: Floats = np.sqrt(np.maximum(squared, 0) / x.shape[1])
        return distance


def energy(logits: Numbers) -> Floats:
    """Compute −logsumexp of logits [B, C]: float64 [B], high where no logit is high."""
    top = logits.max(axis=1, keepdims=True).astype(np.float64)
    energies: Floats = -(top[:, 0] + np.log(np.exp(logits - top).sum(axis=1)))
    return energies


def combined_score(distances: Floats, energies: Floats, statistics: Floats) -> Floats:
    """Standardise distances [B] and energies [B] by ``statistics`` (see `OODDetector`) and add them: float64 [B]."""
    scores = np.stack([distances, energies], axis=1)
    combined: Floats = ((scores - statistics[:, 0]) / statistics[:, 1]).sum(axis=1)
    return combined
