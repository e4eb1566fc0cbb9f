"""Sentences about results that a reader must know before the figures."""

from collections.abc import Mapping
from typing import Any

from brain_tumor.evaluation.calibration import RANGE
from brain_tumor.evaluation.report.headlines import evaluated_splits

_AT_LIMIT = 1.02
"""Factor within which a temperature counts as being at the end of its range."""
_WORSE = 1.05
"""Factor from which a log loss counts as worse: smaller changes are chance."""
_LEAST_CEILING = 0.9
"""Share of hits that a perfect map must be able to reach."""
_MANY_ON_BORDER = 0.25
"""Share of maps whose maximum may lie in the outermost cells."""


def result_warnings(results: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a model by its results: no better than the baseline, badly calibrated, looking aside.

    Args:
        results: Content of ``results.json``.
    """
    return [*_baseline(results), *_calibration(results), *_saliency(results)]


def _baseline(results: Mapping[str, Any]) -> list[str]:
    below = []
    for split in evaluated_splits(results):
        scores = results.get("baseline", {}).get(split)
        value = results[split]["f1_macro"]["value"]
        if scores and value is not None and value <= scores["f1_macro"]:
            below.append(f"macro-F1 {value:.3f} against {scores['f1_macro']:.3f} on {split}")
    if not below:
        return []
    return [f"This model does not beat the 1-NN baseline ({', '.join(below)}): copying the nearest image is as good."]


def _calibration(results: Mapping[str, Any]) -> list[str]:
    calibration = results.get("calibration")
    if not calibration:
        return []
    warnings = []
    temperature = calibration["temperature"]
    if not RANGE[0] * _AT_LIMIT < temperature < RANGE[1] / _AT_LIMIT:
        warnings.append(
            f"The temperature {temperature:.3g} is at the end of its range ({RANGE[0]:g} to {RANGE[1]:g}): the "
            "probabilities cannot be calibrated by scaling; do not rely on them."
        )
    before, after = (calibration["test"][stage]["nll"]["value"] for stage in ("before", "after"))
    if before is not None and after is not None and after > before * _WORSE:
        warnings.append(
            f"Calibration made the probabilities worse on test (NLL {before:.3f} before, {after:.3f} after): "
            "validation, on which the temperature was fitted, is too small or unlike test."
        )
    return warnings


def _saliency(results: Mapping[str, Any]) -> list[str]:
    pointing = results.get("saliency", {}).get("pointing")
    if not pointing or pointing["pointing"]["value"] is None:
        return []
    warnings = []
    measured, chance, centre = (pointing["pointing"][name] for name in ("value", "chance", "centre"))
    worse_than = "chance" if measured <= chance else "the centre of the image" if measured <= centre else ""
    if worse_than:
        reference = chance if worse_than == "chance" else centre
        warnings.append(
            f"The saliency maps point at the tumour in {measured:.0%} of the images, no more often than {worse_than} "
            f"({reference:.0%}): do not read them as evidence."
        )
    ceiling, grid = pointing.get("ceiling"), pointing.get("grid")
    if ceiling is not None and ceiling < _LEAST_CEILING:
        warnings.append(
            f"The saliency maps have {grid[0]} × {grid[1]} cells: even a perfect one would point at the tumour in "
            f"{ceiling:.0%} of the images only. A larger data.image_size makes them finer."
        )
    if pointing.get("on_border", 0.0) > _MANY_ON_BORDER:
        warnings.append(
            f"The saliency maps have their maximum at the border of the image in {pointing['on_border']:.0%} of the "
            "images: the model looks at the frame, not at the head."
        )
    return warnings
