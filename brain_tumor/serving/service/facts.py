"""What the server says of a model."""

from dataclasses import asdict
from typing import Any

from brain_tumor import CAUTION
from brain_tumor.serving.bundle import CARD, Bundle

_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
MODEL_SCHEMA: dict[str, Any] = {
    "title": "Model",
    "type": "object",
    "properties": {
        "name": _TEXT,
        "version": _TEXT,
        "classes": {"type": "array", "items": _TEXT},
        "healthy_class": {"type": ["string", "null"]},
        "image_size": {"type": "integer"},
        "operating_points": {"type": "object", "additionalProperties": _NUMBER},
        "targets": {"type": "object", "additionalProperties": _TEXT},
        "point": _TEXT,
        "abstain_below": {"type": ["number", "null"]},
        "conformal": {"type": ["object", "null"]},
        "has_map": {"type": "boolean"},
        "rejects_unlike_scans": {"type": "boolean"},
        "volume_rule": _TEXT,
        "card": _TEXT,
        "caution": {"const": CAUTION},
    },
    "additionalProperties": False,
}
MODEL_SCHEMA["required"] = list(MODEL_SCHEMA["properties"])
"""JSON schema of `model_facts`."""


def model_facts(name: str, bundle: Bundle, point: str) -> dict[str, Any]:
    """Describe a model; ``card`` is its model card, in Markdown.

    Args:
        name: Name by which it is served.
        bundle: Model.
        point: Operating point of its decisions.
    """
    card = bundle.folder / CARD
    return {
        "name": name,
        "version": bundle.version,
        "classes": list(bundle.classes),
        "healthy_class": bundle.healthy_class,
        "image_size": bundle.image_size,
        "operating_points": bundle.operating_points,
        "targets": bundle.targets,
        "point": point,
        "abstain_below": bundle.abstain_below,
        "conformal": asdict(bundle.conformal) if bundle.conformal else None,
        "has_map": bundle.has_map,
        "rejects_unlike_scans": bundle.ood_detector is not None,
        "volume_rule": bundle.volume_rule,
        "card": card.read_text(encoding="utf-8") if card.is_file() else "",
        "caution": CAUTION,
    }
