"""Metrics that are shares of images: which images count, and what to say where all or none of them are right."""

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from brain_tumor.evaluation.bootstrap import Interval
from brain_tumor.evaluation.predictions import Predictions

Flags = npt.NDArray[np.bool_]


def counted(predictions: Predictions) -> dict[str, Flags]:
    """Which images stand in the denominator of each proportion, bool [N]; all other metrics are of all images."""
    labels, found = predictions.labels, predictions.found
    flags = {"accuracy": np.ones(len(labels), bool)}
    for c, name in enumerate(predictions.classes):
        flags |= _sides(labels == c, found == c, "", f"/{name}")
    if predictions.healthy is not None:
        flags |= {"detection/accuracy": flags["accuracy"]}
        flags |= _sides(labels != predictions.healthy, found != predictions.healthy, "detection/", "")
    return flags


def _sides(positive: Flags, said: Flags, prefix: str, suffix: str) -> dict[str, Flags]:
    sides = {"sensitivity": positive, "specificity": ~positive, "ppv": said, "npv": ~said}
    return {f"{prefix}{name}{suffix}": flags for name, flags in sides.items()}


def decisive(predictions: Predictions) -> dict[str, Flags]:
    """Images that decide whether a metric that is no share can reach its bound: of areas those of the rarer side.

    Returns:
        For ``f1``, ``auroc`` and ``auprc``, of classes and of detection, and for the means over classes: bool [N].
    """
    labels, found = predictions.labels, predictions.found
    flags: dict[str, Flags] = {}
    for c, name in enumerate(predictions.classes):
        flags |= _of_side(labels == c, found == c, "", f"/{name}")
    if predictions.healthy is not None:
        flags |= _of_side(labels != predictions.healthy, found != predictions.healthy, "detection/", "")
    for name in ("f1_macro", "balanced_accuracy", "auroc", "auprc", "mcc", "kappa"):
        flags[name] = np.ones(len(labels), bool)
    return flags


def _of_side(positive: Flags, said: Flags, prefix: str, suffix: str) -> dict[str, Flags]:
    rarer = positive if positive.sum() <= (~positive).sum() else ~positive
    sides = {"f1": positive | said, "auroc": rarer, "auprc": positive}
    return {f"{prefix}{name}{suffix}": flags for name, flags in sides.items()}


def exact(value: float, groups: int, level: float = 0.95) -> Interval:
    """Interval of Clopper and Pearson (1934) for a proportion of 0 or 1, which no resample can move.

    Args:
        value: 0 or 1.
        groups: Independent trials; images of one group count once, as if they stood or fell together.
        level: Of confidence.
    """
    hits, tail = round(value * groups), (1 - level) / 2
    low = float(beta.ppf(tail, hits, groups - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, groups - hits)) if hits < groups else 1.0
    return low, high
