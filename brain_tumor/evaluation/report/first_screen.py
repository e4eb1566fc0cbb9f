"""The first screen of ``report.html``: how good, on whom, and what goes wrong."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from brain_tumor.evaluation.explain.gallery import MARKED_COLOUR, MASK_COLOUR, Examples
from brain_tumor.evaluation.explain.overlay import overlay
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.report.format import format_estimate, format_interval, format_number, format_share
from brain_tumor.evaluation.report.names import short_name
from brain_tumor.evaluation.report.page import SampleImage, Tile
from brain_tumor.evaluation.report.raster import data_uri
from brain_tumor.types import Flags, GreyImage

Results = Mapping[str, Any]
FINDINGS = 3
"""Findings on the first screen."""
_TILES = ("f1_macro", "accuracy", "detection/auroc", "detection/sensitivity", "localization/pointing")
_SIDE = 224
"""Height and width of a sample image, pixels."""


def headline(results: Results, facts: Mapping[str, Any]) -> str:
    """Say in one sentence how good the model is, and on whom.

    Args:
        results: Content of ``results.json``.
        facts: Content of ``run.json``.
    """
    n, data = results["n"]["test"], facts.get("data", {})
    patients = data.get("patients") and data["patients"] == data.get("groups")
    people = f"of {n['groups']} patients" if patients else f"in {n['groups']} groups"
    sentence = f"Macro-F1 {format_estimate(results['test']['f1_macro'])} on {n['images']} test images {people}"
    if baseline := results.get("baseline"):
        return f"{sentence}; the 1-NN baseline reaches {format_number(baseline['test']['f1_macro'])}."
    return f"{sentence}."


def tiles(results: Results) -> list[Tile]:
    """Make at most five tiles: metrics of the test split with interval and, where there is one, a baseline.

    Args:
        results: Content of ``results.json``.
    """
    test = results["test"]
    baseline = results.get("baseline", {}).get("test", {})
    references = {name: f"1-NN baseline {format_number(value)}" for name, value in baseline.items()}
    centre = results.get("localization", {}).get("test", {}).get("centre")
    if centre is not None:
        references["localization/pointing"] = f"centre of the head {format_number(centre)}"
    if "detection/auroc" in test:
        references["detection/auroc"] = "chance 0.500"
    return [
        Tile(
            short_name(name),
            format_number(test[name]["value"]),
            f"95 % CI {format_interval(test[name]) or '–'}",
            references.get(name, ""),
        )
        for name in _TILES
        if name in test
    ]


def findings(results: Results, test: Predictions) -> list[str]:
    """Describe the errors on the test split in sentences, the largest share of errors first.

    Args:
        results: Content of ``results.json``.
        test: Predictions of the test split.

    Returns:
        One sentence, which says so, if there are no errors.
    """
    found = [
        *_worst_class(results, test),
        *_detection(results),
        *_worst_subgroup(results),
        *_map(results),
        *_corruption(results),
    ]
    sentences = [sentence for share, sentence in sorted(found, key=lambda each: -each[0]) if share > 0]
    return sentences or ["No test image is classified wrongly."]


Finding = tuple[float, str]
"""Share of errors, and sentence."""


def _worst_class(results: Results, test: Predictions) -> list[Finding]:
    """Describe the class of which most images are predicted as another one."""
    predicted = test.predicted
    share = {c: float((predicted[test.labels == c] != c).mean()) for c in np.unique(test.labels).tolist()}
    worst = max(share, key=lambda c: share[c])
    if not share[worst]:
        return []
    of_class = predicted[test.labels == worst]
    wrong = of_class[of_class != worst]
    other = int(np.bincount(wrong, minlength=len(test.classes)).argmax())
    name = test.classes[worst]
    sentence = (
        f"The class {name} is recognised worst: {len(wrong)} of {len(of_class)} images are predicted as another class, "
        f"{(wrong == other).sum()} of them as {test.classes[other]} (sensitivity "
        f"{format_estimate(results['test'][f'sensitivity/{name}'])})."
    )
    return [(share[worst], sentence)]


def _detection(results: Results) -> list[Finding]:
    """Describe missed tumours, and healthy images that are taken for tumours."""
    kinds = {
        "detection/sensitivity": "tumour images are missed: the predicted class is the healthy one (sensitivity",
        "detection/specificity": "healthy images are taken for tumours (specificity",
    }
    found = []
    for metric, text in kinds.items():
        estimate = results["test"].get(metric, {"value": None})
        if estimate["value"] is not None:
            wrong = round((1 - estimate["value"]) * estimate["n"])
            sentence = f"{wrong} of {estimate['n']} {text} {format_estimate(estimate)})."
            found.append((1 - estimate["value"], sentence))
    return found


def _worst_subgroup(results: Results) -> list[Finding]:
    """Describe the subgroup with the lowest accuracy, if its interval is below the accuracy of all images."""
    subgroups = [each for each in results.get("subgroups") or () if each["accuracy"]["value"] is not None]
    if not subgroups:
        return []
    worst = min(subgroups, key=lambda each: each["accuracy"]["value"])
    overall = results["test"]["accuracy"]["value"]
    if worst["accuracy"]["ci_high"] is None or worst["accuracy"]["ci_high"] >= overall:
        return []
    sentence = (
        f"Accuracy is lowest where the {worst['attribute']} is {worst['value']}: {format_estimate(worst['accuracy'])} "
        f"on {worst['images']} images in {worst['groups']} groups, against {format_number(overall)} on all."
    )
    return [(1 - worst["accuracy"]["value"], sentence)]


def _corruption(results: Results) -> list[Finding]:
    """Describe the corruption that lowers macro-F1 most, where image evidence was asked for."""
    worst = results.get("robustness", {}).get("worst")
    if not worst or worst["change"]["f1_macro"]["value"] is None or worst["change"]["f1_macro"]["value"] >= 0:
        return []
    change = worst["change"]["f1_macro"]
    sentence = (
        f"{worst['corruption']} at severity {worst['severity']} of 5 changes macro-F1 by {format_estimate(change)}."
    )
    return [(-change["value"], sentence[0].upper() + sentence[1:])]


def _map(results: Results) -> list[Finding]:
    """Describe how often the maximum of a localizer's map is not at the tumour."""
    pointing = results["test"].get("localization/pointing", {"value": None})
    if pointing["value"] is None:
        return []
    missed = round((1 - pointing["value"]) * pointing["n"])
    sentence = (
        f"The heat map points beside the tumour in {missed} of {pointing['n']} images "
        f"({format_share(1 - pointing['value'])}); its overlap with the true outline (Dice) is "
        f"{format_estimate(results['test']['localization/dice'])}."
    )
    return [(1 - pointing["value"], sentence)]


def sample_images(examples: Examples) -> list[SampleImage]:
    """Encode example images for a page, each beside its copy under the map with the outlines of mask and map.

    Args:
        examples: Test images with their maps.
    """
    return [_sample(examples, number) for number in range(len(examples.rows))]


def one_per_class(samples: list[SampleImage]) -> list[SampleImage]:
    """Choose the first sample of each class."""
    return list({sample.label: sample for sample in reversed(samples)}.values())[::-1]


def _sample(examples: Examples, number: int) -> SampleImage:
    predictions, row = examples.predictions, examples.rows[number]
    probabilities = predictions.probabilities[row]
    predicted = int(probabilities.argmax())
    drawn = _resized(overlay(examples.images[number], examples.maps[number]))
    if examples.masks is not None:
        drawn = _outlined(drawn, examples.masks[number], MASK_COLOUR)
    if examples.marked is not None:
        drawn = _outlined(drawn, examples.marked[number], MARKED_COLOUR)
    return SampleImage(
        data_uri(_resized(examples.images[number])),
        data_uri(drawn),
        predictions.classes[int(predictions.labels[row])],
        predictions.classes[predicted],
        format_number(float(probabilities[predicted]), 2),
        str(predictions.frame["sample_id"].iloc[row]),
    )


def _resized(image: GreyImage) -> GreyImage:
    kind = cv2.INTER_AREA if image.shape[0] > _SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=kind), np.uint8)


def _outlined(image: GreyImage, region: Flags, colour: str) -> GreyImage:
    """Draw the outline of a region bool [S, S] on a copy of an RGB image."""
    enlarged = cv2.resize(region.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    lines, _ = cv2.findContours((enlarged >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rgb = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return np.asarray(cv2.drawContours(image.copy(), lines, -1, rgb, 2, cv2.LINE_AA), np.uint8)
