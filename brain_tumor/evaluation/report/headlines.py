"""The metrics that tables show first, and the splits that have them."""

from collections.abc import Mapping
from typing import Any

HEADLINES = ("f1_macro", "accuracy", "balanced_accuracy", "auroc", "mcc", "ece")
"""Classification metrics in the order of every table; the first is the one that selects models."""
DETECTION = ("detection/auroc", "detection/sensitivity", "detection/specificity")
"""Detection metrics, defined where there is a healthy class."""
LOCALIZATION = ("localization/pointing", "localization/dice", "localization/iou50", "localization/false_area")
"""Metrics of a localizer's map, defined where images have masks."""


def evaluated_splits(results: Mapping[str, Any]) -> list[str]:
    """Name the splits that ``results.json``, or a section of it, has metrics of; ``val`` first."""
    return [split for split in ("val", "test") if split in results]
