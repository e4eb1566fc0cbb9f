"""How performance falls as images get worse: every corruption at every severity."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt, draw_of
from brain_tumor.evaluation.robustness.scoring import RobustnessTest, difference, scores
from brain_tumor.types import GreyImage


def robustness(test: RobustnessTest) -> dict[str, Any]:
    """Score corrupted images beside the images as they are; 56 classifications per image.

    A corruption is reported by its five scores, by its worst score, and by the area under its curve from severity 0 to
    5 (trapezoids, in [0, 1]). The mean of the areas is the mean corruption score, as in Hendrycks & Dietterich 2019 but
    not relative to another model. Worst is the lowest macro-F1.

    Returns:
        Ready for JSON: ``images, of, seed, seconds, clean {metric: value}, corruptions {name: {"scores": {metric:
        [5]}, "area": {metric: value}, "worst": {"severity", metrics…}}}, mean_corruption_score {metric: value}, worst
        {"corruption", "severity", "scores", "change": {metric: {value, ci_low, ci_high}}}``.
    """
    start = time.perf_counter()
    variants = [partial(_corrupted, name, severity, test.seed) for name in CORRUPTIONS for severity in SEVERITIES]
    probabilities = test.probabilities([lambda image, _: image, *variants], "Classifying corrupted images")
    clean = test.predictions(probabilities[0])
    corrupted = probabilities[1:].reshape(len(CORRUPTIONS), len(SEVERITIES), *probabilities.shape[1:])
    by_name = {name: list(map(test.predictions, each)) for name, each in zip(CORRUPTIONS, corrupted, strict=True)}
    base = scores(clean)
    curves = {name: _curve(by_severity, base) for name, by_severity in by_name.items()}
    name = min(curves, key=lambda each: _score(curves[each]["worst"]))
    worst = curves[name]["worst"]
    at_worst = by_name[name][worst["severity"] - 1]
    return {
        "images": len(test.rows),
        "of": len(test.labels),
        "seed": test.seed,
        "seconds": round(time.perf_counter() - start, 1),
        "clean": base,
        "corruptions": curves,
        "mean_corruption_score": {
            metric: _mean([curve["area"][metric] for curve in curves.values()]) for metric in base
        },
        "worst": {
            "corruption": name,
            **worst,
            "change": difference(clean, at_worst, resamples=test.resamples, seed=test.seed),
        },
    }


def _corrupted(name: str, severity: int, seed: int, image: GreyImage, row: int) -> GreyImage:
    """Corrupt an image; its row decides the random draw, whichever other images are tested."""
    return corrupt(name, image, severity, draw_of(name, seed, row))


def _curve(by_severity: Sequence[Predictions], clean: dict[str, float | None]) -> dict[str, Any]:
    scored = [scores(predictions) for predictions in by_severity]
    worst = min(range(len(SEVERITIES)), key=lambda place: _score({"scores": scored[place]}))
    curves = {metric: [each[metric] for each in scored] for metric in clean}
    return {
        "scores": curves,
        "area": {metric: _area([clean[metric], *curve]) for metric, curve in curves.items()},
        "worst": {"severity": SEVERITIES[worst], "scores": scored[worst]},
    }


def _score(worst: dict[str, Any]) -> float:
    return float(worst["scores"]["f1_macro"])


def _area(curve: Sequence[float | None]) -> float | None:
    values = [value for value in curve if value is not None]
    return float(np.trapezoid(values) / (len(values) - 1)) if len(values) == len(curve) else None


def _mean(areas: Sequence[float | None]) -> float | None:
    values = [area for area in areas if area is not None]
    return float(np.mean(values)) if values else None
