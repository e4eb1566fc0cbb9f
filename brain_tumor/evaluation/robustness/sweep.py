"""How performance falls as images get worse: every corruption at every severity."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from brain_tumor.data.images import Images
from brain_tumor.data.progress import progress
from brain_tumor.evaluation.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt, draw_of
from brain_tumor.evaluation.robustness.scoring import Classify, difference, scores, stratified
from brain_tumor.types import Floats, Rows


def robustness(
    classify: Classify,
    images: Images,
    labels: Rows,
    classes: Sequence[str],
    groups: Rows,
    *,
    limit: int | None = 1000,
    seed: int = 0,
    resamples: int = 1000,
    batch_size: int = 64,
) -> dict[str, Any]:
    """Scores of corrupted images beside those of the images as they are; 56 classifications an image.

    A corruption is told by its five scores, by its worst, and by the area under its curve from severity 0 to 5
    (trapezoids, in [0, 1]); the mean of the areas is the mean corruption score, as in Hendrycks & Dietterich 2019 but
    not relative to another model. Worst is the lowest macro-F1.

    Args:
        classify: Grey squares → probabilities.
        images: uint8 [N, S, S], read a batch at a time.
        labels: int64 [N].
        classes: C names.
        groups: int64 [N], which an interval draws whole.
        limit: Images at most, drawn by class; None takes all.
        seed: Of the draw, the corruptions and the bootstrap.
        resamples: Of the bootstrap, for the worst case.
        batch_size: Images classified at once.

    Returns:
        Ready for JSON: ``images, of, seed, seconds, clean {metric: value}, corruptions {name: {"scores": {metric:
        [5]}, "area": {metric: value}, "worst": {"severity", metrics…}}}, mean_corruption_score {metric: value}, worst
        {"corruption", "severity", "scores", "change": {metric: {value, ci_low, ci_high}}}``.
    """
    start = time.perf_counter()
    rows = stratified(labels, limit, seed)
    clean, corrupted = _probabilities(classify, images, rows, len(classes), seed, batch_size)
    truth = labels[rows]
    base = scores(truth, clean, classes)
    told = {name: _curve(truth, corrupted[name], classes, base) for name in CORRUPTIONS}
    name = min(told, key=lambda each: _score(told[each]["worst"]))
    worst = told[name]["worst"]
    at_worst = corrupted[name][worst["severity"] - 1]
    change = difference(truth, clean, at_worst, classes, groups[rows], resamples=resamples, seed=seed)
    return {
        "images": len(rows),
        "of": len(labels),
        "seed": seed,
        "seconds": round(time.perf_counter() - start, 1),
        "clean": base,
        "corruptions": told,
        "mean_corruption_score": {metric: _mean([curve["area"][metric] for curve in told.values()]) for metric in base},
        "worst": {"corruption": name, **worst, "change": change},
    }


def _probabilities(
    classify: Classify, images: Images, rows: Rows, classes: int, seed: int, batch_size: int
) -> tuple[Floats, dict[str, npt.NDArray[np.float64]]]:
    """Of the clean images [n, C], and of each corruption [5, n, C]; each image is read once."""
    clean = np.empty((len(rows), classes))
    corrupted = {name: np.empty((len(SEVERITIES), len(rows), classes)) for name in CORRUPTIONS}
    for first in progress(range(0, len(rows), batch_size), "Corrupting images"):
        part = slice(first, first + batch_size)
        batch = images[rows[part]]
        clean[part] = classify(batch)
        for name, found in corrupted.items():
            for severity in SEVERITIES:
                worse = [
                    corrupt(name, image, severity, draw_of(name, seed, int(row)))
                    for image, row in zip(batch, rows[part], strict=True)
                ]
                found[severity - 1, part] = classify(np.stack(worse))
    return clean, corrupted


def _curve(labels: Rows, corrupted: Floats, classes: Sequence[str], clean: dict[str, float | None]) -> dict[str, Any]:
    by_severity = [scores(labels, probabilities, classes) for probabilities in corrupted]
    worst = min(range(len(SEVERITIES)), key=lambda place: _score({"scores": by_severity[place]}))
    curves = {metric: [each[metric] for each in by_severity] for metric in clean}
    return {
        "scores": curves,
        "area": {metric: _area([clean[metric], *curve]) for metric, curve in curves.items()},
        "worst": {"severity": SEVERITIES[worst], "scores": by_severity[worst]},
    }


def _score(worst: dict[str, Any]) -> float:
    return float(worst["scores"]["f1_macro"])


def _area(curve: Sequence[float | None]) -> float | None:
    values = [value for value in curve if value is not None]
    return float(np.trapezoid(values) / (len(values) - 1)) if len(values) == len(curve) else None


def _mean(areas: Sequence[float | None]) -> float | None:
    values = [area for area in areas if area is not None]
    return float(np.mean(values)) if values else None
