"""Parts of the description of a bundle: conformal sets, exports, OOD detector, localizer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brain_tumor.serving.json_fields import Fields


@dataclass(frozen=True)
class ConformalInfo:
    """Sets of classes that contain the true class with a stated probability, for each class."""

    coverage: float
    """That probability, in (0, 1)."""
    limits: dict[str, float]
    """Class → largest 1 − p at which it belongs to the set, see `brain_tumor.evaluation.decisions.conformal`."""


@dataclass(frozen=True)
class AccuracyRange:
    """How often predictions were right in validation, for one range of the predicted class's probability."""

    low: float
    """Smallest probability of the range, in [0, 1]."""
    images: int
    """Number of validation images in it."""
    right: int
    """Number of them whose prediction was right."""


@dataclass(frozen=True)
class Export:
    """A model file for one engine at one precision, with the result of its checks."""

    file: str
    """Name of the file in the bundle."""
    checks: dict[str, Any]
    """Comparison with PyTorch, see `brain_tumor.serving.export.compare`."""


@dataclass(frozen=True)
class OODDetectorInfo:
    """The OOD detector as ``config.json`` describes it, without reading its file."""

    file: str
    """Name of its file in the bundle: a `brain_tumor.evaluation.ood.detector.OODDetector`."""
    reject_share: float
    """Fraction of validation scans that it was fitted to reject, in (0, 1)."""
    images: int
    """Number of validation scans that it was fitted on."""
    rejected: float | None = None
    """Fraction of test scans that it rejects; None: not measured, as in version 0.1."""
    missed: dict[str, float] = field(default_factory=dict)
    """Kind of OOD image → fraction of such images that it accepts; empty: not measured."""


@dataclass(frozen=True)
class LocalizerInfo:
    """The localizer: what it adds to the network, and how its map is read."""

    name: str
    """Key of `brain_tumor.serving.architectures.LOCALIZERS`, or dotted path of a user's own."""
    arguments: dict[str, Any]
    """Keyword arguments of the localizer."""
    threshold: float | None
    """Probability in the map from which a pixel is marked as tumour, chosen on validation; None: the map is untrained,
    as no image had a mask."""


def read_conformal(fields: Fields, classes: Sequence[str]) -> ConformalInfo:
    """Read the description of conformal sets."""
    coverage, limits = fields.number("coverage", above=0), fields.inner("limits")
    fields.require(coverage < 1, "coverage", "a number below 1")
    fields.require(set(limits.mapping) == set(classes), "limits", "one number for each class")
    return ConformalInfo(coverage, {name: limits.number(name) for name in classes})


def read_accuracy(ranges: Sequence[Fields]) -> tuple[AccuracyRange, ...]:
    """Read how often predictions were right, by ascending probability."""
    found = []
    for fields in ranges:
        images, right = fields.number("images", at_least=1), fields.number("right", at_least=0)
        fields.require(right <= images, "right", "at most images")
        found.append(AccuracyRange(fields.number("low", at_least=0), int(images), int(right)))
    return tuple(sorted(found, key=lambda each: each.low))


def read_exports(engine: Fields, files: Fields) -> dict[str, Export]:
    """Read the exports of one engine, by precision."""
    fields = {precision: engine.inner(precision) for precision in engine.mapping}
    return {name: Export(_file(export, files), export.inner("checks").mapping) for name, export in fields.items()}


def read_ood_detector(fields: Fields, files: Fields) -> OODDetectorInfo:
    """Read the description of the OOD detector."""
    share = fields.number("reject_share", above=0)
    fields.require(share < 1, "reject_share", "a number below 1")
    missed = fields.inner("missed")
    return OODDetectorInfo(
        file=_file(fields, files),
        reject_share=share,
        images=int(fields.number("images", at_least=1)),
        rejected=fields.number("rejected", at_least=0) if fields.has("rejected") else None,
        missed={name: missed.number(name, at_least=0) for name in missed.mapping},
    )


def read_localizer(fields: Fields) -> LocalizerInfo:
    """Read the description of the localizer."""
    threshold = fields.number("threshold", above=0) if fields.has("threshold") else None
    return LocalizerInfo(fields.text("name"), fields.inner("arguments").mapping, threshold)


def _file(fields: Fields, files: Fields) -> str:
    name = fields.text("file")
    fields.require(name in files.mapping and Path(name).name == name, "file", "the name of a file in the bundle")
    return name
