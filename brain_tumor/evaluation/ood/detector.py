"""The OOD detector, which rejects images unlike the scans of validation; it needs numpy only, for use in serving.

It combines three scores: the Mahalanobis distance of the features (Lee 2018), here from the distribution of all classes
together, since a distribution per class was not better; the energy −logsumexp(logits) (Liu 2020); and the projection of
the features on the direction that separates scans from examples of OOD images (outlier exposure, Hendrycks 2019). Each
is standardised by its mean and standard deviation on scans. The larger of distance plus energy, and of the projection
times √2, which gives both the same spread, is compared with a limit that a stated share of scans exceeds. The OOD score
is the difference: an image with a score above 0 is rejected. Detectors of version 0.1 have no projection.
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
    """[2 or 3, 2]: mean and standard deviation of the distance (first row), of the energy (second row) and of the
    projection (third row, if there is a direction) of scans that the distribution was not fitted on."""
    limit: float
    """Largest sum of the standardised scores that is accepted."""
    reject_share: float
    """Share of scans that exceed the limit, in (0, 1)."""
    images: int
    """Number of scans that the detector was fitted on."""
    direction: Floats | None = None
    """[D], direction of standardised features from scans to OOD images; None: fitted without examples of these."""

    @property
    def width(self) -> int:
        """Number of features, D."""
        return self.normal.centre.size

    def ood_score(self, features: Numbers, logits: Numbers) -> Floats:
        """Compute OOD scores float64 [B]: higher is less like scans, above 0 is rejected.

        Args:
            features: Features [B, D], see `brain_tumor.models.features.features_and_logits`.
            logits: Logits [B, C].
        """
        return self.combined(features, self.normal.distance(features), energy(logits)) - self.limit

    def combined(self, features: Numbers, distances: Floats, energies: Floats) -> Floats:
        """Combine the three scores of features [B, D], with distances [B] and energies [B], to float64 [B]."""
        projections = None if self.direction is None else self.normal.standardised(features) @ self.direction
        return combined_score(distances, energies, projections, self.statistics)

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
        if self.direction is not None:
            arrays["direction"] = np.ascontiguousarray(self.direction, np.float32)
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
                direction=arrays.get("direction"),
            )
        except (SafetensorError, KeyError, OverflowError, ValueError) as error:
            raise ValueError(f"it cannot be read: {error}") from error
        width, directions = normal.centre.size, normal.variances.size
        shapes = {"centre": (width,), "scale": (width,), "directions": (width, directions), "variances": (directions,)}
        shapes |= {"rest": (1,), "usual": (2 + ("direction" in arrays), 2)}
        shapes |= {"direction": (width,)} if "direction" in arrays else {}
        if any(arrays[name].shape != shape for name, shape in shapes.items()):
            raise ValueError("the shapes of its arrays do not match")
        positive = np.concatenate([normal.scale, normal.variances, normal.residual_variance, detector.statistics[:, 1]])
        if not all(np.isfinite(array).all() for array in arrays.values()) or not (positive > 0).all():
            raise ValueError("it has values that are not finite, or deviations that are not above 0")
        return detector


@dataclass(frozen=True)
class EnsembleDetector:
    """The detectors of the members of an ensemble: its OOD score is the mean of theirs.

    Its features are those of `brain_tumor.models.ensemble.EnsembleNetwork`: for each member its features and logits.
    """

    members: tuple[OODDetector, ...]
    """Detectors of the members, in their order."""
    classes: int
    """Number of logits of each member."""

    @property
    def width(self) -> int:
        """Number of features of all members, with their logits."""
        return sum(member.width + self.classes for member in self.members)

    @property
    def reject_share(self) -> float:
        """Mean share of scans that the members reject, in (0, 1)."""
        return float(np.mean([member.reject_share for member in self.members]))

    @property
    def images(self) -> int:
        """Smallest number of scans that a member was fitted on."""
        return min(member.images for member in self.members)

    def ood_score(self, features: Numbers, logits: Numbers) -> Floats:
        """Compute OOD scores float64 [B], as `OODDetector.ood_score`.

        Args:
            features: Features of the ensemble [B, D].
            logits: Logits of the ensemble [B, C], which are not used.
        """
        scores, start = [], 0
        for member in self.members:
            middle, end = start + member.width, start + member.width + self.classes
            scores.append(member.ood_score(features[:, start:middle], features[:, middle:end]))
            start = end
        return np.asarray(np.mean(scores, axis=0))

    def to_bytes(self) -> bytes:
        """Serialise to safetensors: the arrays of each member, behind its number."""
        arrays = {
            f"{number}.{name}": array
            for number, member in enumerate(self.members)
            for name, array in load(member.to_bytes()).items()
        }
        return save({**arrays, "classes": np.array([self.classes], np.float64)})


def read_detector(content: bytes) -> OODDetector | EnsembleDetector:
    """Deserialise a detector, of one network or of an ensemble.

    Raises:
        ValueError: The content is no valid detector.
    """
    try:
        arrays = load(content)
    except SafetensorError as error:
        raise ValueError(f"it cannot be read: {error}") from error
    if "classes" not in arrays:
        return OODDetector.from_bytes(content)
    numbers = sorted({int(name.partition(".")[0]) for name in arrays if name[0].isdigit()})
    members = [
        {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{number}.")}
        for number in numbers
    ]
    return EnsembleDetector(
        tuple(OODDetector.from_bytes(save(member)) for member in members), int(arrays["classes"].item())
    )


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
        x = self.standardised(features)
        residual = self.residual_variance
        squared = (x**2).sum(axis=1) / residual + (x @ self.directions) ** 2 @ (1 / self.variances - 1 / residual)
        distance: Floats = np.sqrt(np.maximum(squared, 0) / x.shape[1])
        return distance

    def standardised(self, features: Numbers) -> Floats:
        """Subtract the mean and divide by the scale: float64 [B, D]."""
        return np.asarray((features - self.centre) / self.scale, np.float64)


def energy(logits: Numbers) -> Floats:
    """Compute −logsumexp of logits [B, C]: float64 [B], high where no logit is high."""
    top = logits.max(axis=1, keepdims=True).astype(np.float64)
    energies: Floats = -(top[:, 0] + np.log(np.exp(logits - top).sum(axis=1)))
    return energies


def combined_score(distances: Floats, energies: Floats, projections: Floats | None, statistics: Floats) -> Floats:
    """Standardise distances, energies and projections [B] by ``statistics`` and combine them, see `OODDetector`."""
    scores = [distances, energies] if projections is None else [distances, energies, projections]
    standardised = (np.stack(scores, axis=1) - statistics[:, 0]) / statistics[:, 1]
    combined: Floats = standardised[:, :2].sum(axis=1)
    if projections is not None:
        combined = np.maximum(combined, np.sqrt(2) * standardised[:, 2])
    return combined
