"""What a model says of an image or a volume: the same object in Python, on the command line and from the server."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brain_tumor import CAUTION
from brain_tumor.evaluation.map_boxes import BOX, Box, enlarge
from brain_tumor.serving.bundle import Bundle
from brain_tumor.types import Floats

TUMOUR, NO_TUMOUR = "tumour", "no tumour"
ABSTAINS = "left to a person"
"""What counts instead of a decision where the model abstains."""
LOW_CONFIDENCE, OUT_OF_DISTRIBUTION = "low confidence", "out of distribution"
OBSERVED = ("right", "images")
"""Names of the two numbers of ``observed``."""
DEFAULT_POINT = "balanced"
"""Operating point of the decision, unless another is named."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What probabilities mean by the rules that validation chose. Research use only; not a medical device."""

    prediction: str
    """The most probable class."""
    probabilities: dict[str, float]
    """Class → calibrated probability; they sum to 1."""
    detection: float | None
    """1 − p(healthy class), in [0, 1]: is there a tumour? None for a model without a healthy class."""
    decision: str | None
    """`TUMOUR` where ``detection`` reaches the operating point, else `NO_TUMOUR`; None for a model without one."""
    reasons: tuple[str, ...]
    """Why the model abstains: `LOW_CONFIDENCE`, `OUT_OF_DISTRIBUTION`; empty if it does not."""
    conformal_set: tuple[str, ...] | None
    """The classes that cannot be ruled out, most probable first: in validation such sets contained the true class with
    the probability that the bundle states. None for a model without such sets."""
    observed: tuple[int, int] | None
    """How often predictions of about this probability were right in validation: (right, images). None for a model that
    does not state it."""
    version: str
    """Version of the model."""

    @property
    def abstain(self) -> bool:
        """Whether the model leaves the case to a person; its prediction must not be used then."""
        return bool(self.reasons)

    @property
    def outcome(self) -> str:
        """What may be used of the answer: `ABSTAINS`, or else the decision, or else the class."""
        return ABSTAINS if self.abstain or not self.prediction else self.decision or self.prediction

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: all fields but arrays, ``abstain``, and the caution."""
        return {
            "prediction": self.prediction,
            "probabilities": self.probabilities,
            "detection": self.detection,
            "decision": self.decision,
            "abstain": self.abstain,
            "reasons": list(self.reasons),
            "conformal_set": None if self.conformal_set is None else list(self.conformal_set),
            "observed": None if self.observed is None else dict(zip(OBSERVED, self.observed, strict=True)),
            "version": self.version,
            "caution": CAUTION,
        }


@dataclass(frozen=True, kw_only=True)
class Answer(Verdict):
    """What a model says of one image."""

    name: str = ""
    """Name of the image, where it has one: a path, or ``FILE#SLICE``."""
    series: str = ""
    """Name of the volume that the image is a slice of, see `VolumeAnswer`; empty for an image on its own."""
    rejected: bool | None
    """Whether the OOD detector rejects the image; None without a detector."""
    ood_score: float | None
    """Distance above the limit of the OOD detector, see `brain_tumor.evaluation.ood.detector`: above 0 is rejected."""
    map: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """Logit of each cell of the localizer's map, float32 [h, w]; None for a model without one."""
    box: Box | None = None
    """Where the map marks most tumour: ``(x0, y0, x1, y1)`` in pixels of the image that was given, see
    `brain_tumor.evaluation.map_boxes.tumour_box`. None if it marks none, and for a model without a localizer."""
    image_size: int = 0
    """Height and width of the image that the network saw, S."""
    shape: tuple[int, int] = (0, 0)
    """Height and width of the image that was given, pixels."""

    @property
    def heatmap(self) -> npt.NDArray[np.float32] | None:
        """Probability of tumour at each pixel of the image that the network saw, float32 [S, S] in [0, 1].

        That image is the given one, resized to S pixels on its longer side and centred on black. None for a model
        without a localizer.
        """
        return None if self.map is None else enlarge(self.map, self.image_size)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, see `ANSWER_SCHEMA`."""
        return super().to_dict() | {
            "name": self.name,
            "series": self.series,
            "rejected": self.rejected,
            "ood_score": self.ood_score,
            "box": None if self.box is None else dict(zip(BOX, self.box, strict=True)),
            "height": self.shape[0],
            "width": self.shape[1],
        }


@dataclass(frozen=True, kw_only=True)
class VolumeAnswer(Verdict):
    """What a model says of a volume, from its slices.

    If all of them were rejected, ``prediction`` and ``probabilities`` are empty and what follows from them is None.
    """

    series: str
    """Name of the volume: file of a NIfTI volume, pseudonym of a DICOM series."""
    patient: str
    """Pseudonym of the patient, empty if unknown."""
    slices: int
    """Number of slices that were looked at."""
    rejected: int
    """Number of slices that the OOD detector rejected; they do not count."""
    key_slice: str
    """Name of the slice with the highest tumour score; empty if all were rejected."""
    map_slice: str
    """Name of the slice on which the map marks the largest area; empty if it marks none."""

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, see `VOLUME_SCHEMA`."""
        names = ("series", "patient", "slices", "rejected", "key_slice", "map_slice")
        return super().to_dict() | {name: getattr(self, name) for name in names}


def verdict(bundle: Bundle, row: Floats, *, rejected: bool, point: str = DEFAULT_POINT) -> dict[str, Any]:
    """Apply the rules of a model to calibrated probabilities; returns the fields of `Verdict`.

    Args:
        bundle: Model.
        row: Probabilities float64 [C].
        rejected: Whether the OOD detector rejects what they belong to.
        point: Operating point of the decision.
    """
    by_class = dict(zip(bundle.classes, row.tolist(), strict=True))
    best = int(row.argmax())
    detection = None if bundle.healthy_class is None else 1 - by_class[bundle.healthy_class]
    threshold = bundle.operating_points.get(point)
    is_decided = detection is not None and threshold is not None
    uncertain = bundle.abstain_below is not None and float(row[best]) < bundle.abstain_below
    return {
        "prediction": bundle.classes[best],
        "probabilities": by_class,
        "detection": detection,
        "decision": (TUMOUR if detection >= threshold else NO_TUMOUR) if is_decided else None,  # type: ignore[operator]
        "reasons": (*[LOW_CONFIDENCE][: int(uncertain)], *[OUT_OF_DISTRIBUTION][: int(rejected)]),
        "conformal_set": _conformal_set(bundle, row),
        "observed": _observed(bundle, float(row[best])),
        "version": bundle.version,
    }


def _observed(bundle: Bundle, probability: float) -> tuple[int, int] | None:
    """Return how many predictions of this range of probability were right in validation, and how many there were."""
    below = [each for each in bundle.observed_accuracy if each.low <= probability]
    return (below[-1].right, below[-1].images) if below else None


def _conformal_set(bundle: Bundle, row: Floats) -> tuple[str, ...] | None:
    """Return the classes that cannot be ruled out; the most probable one always belongs to them."""
    if bundle.conformal is None:
        return None
    limits = [bundle.conformal.limits[name] for name in bundle.classes]
    order = np.argsort(-row, kind="stable")
    return tuple(bundle.classes[c] for rank, c in enumerate(order) if rank == 0 or 1 - row[c] <= limits[c])


_TEXT, _SHARE = {"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}
_VERDICT = {
    "prediction": _TEXT,
    "probabilities": {"type": "object", "additionalProperties": _SHARE},
    "detection": {**_SHARE, "type": ["number", "null"]},
    "decision": {"enum": [TUMOUR, NO_TUMOUR, None]},
    "abstain": {"type": "boolean"},
    "reasons": {"type": "array", "items": {"enum": [LOW_CONFIDENCE, OUT_OF_DISTRIBUTION]}},
    "conformal_set": {"type": ["array", "null"], "items": _TEXT},
    "observed": {
        "type": ["object", "null"],
        "properties": {name: {"type": "integer", "minimum": 0} for name in OBSERVED},
        "required": list(OBSERVED),
        "additionalProperties": False,
    },
    "version": _TEXT,
    "caution": {"const": CAUTION},
}


def _schema(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


ANSWER_SCHEMA = _schema(
    "Answer",
    {
        **_VERDICT,
        "name": _TEXT,
        "series": _TEXT,
        "rejected": {"type": ["boolean", "null"]},
        "ood_score": {"type": ["number", "null"]},
        "box": {
            "type": ["object", "null"],
            "properties": {name: {"type": "integer", "minimum": 0} for name in BOX},
            "required": list(BOX),
            "additionalProperties": False,
        },
        "height": {"type": "integer", "minimum": 1},
        "width": {"type": "integer", "minimum": 1},
    },
)
"""JSON schema of `Answer.to_dict`."""
VOLUME_SCHEMA = _schema(
    "VolumeAnswer",
    {
        **_VERDICT,
        "series": _TEXT,
        "patient": _TEXT,
        "slices": {"type": "integer", "minimum": 0},
        "rejected": {"type": "integer", "minimum": 0},
        "key_slice": _TEXT,
        "map_slice": _TEXT,
    },
)
"""JSON schema of `VolumeAnswer.to_dict`."""
