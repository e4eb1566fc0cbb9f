"""The report's sections on what a model makes of images: robustness, where it looks, its surest mistakes."""

from collections.abc import Callable, Mapping
from typing import Any

from brain_tumor.evaluation.report.format import format_estimate
from brain_tumor.evaluation.report.page import Section, Table

Results = Mapping[str, Any]
_SCORES = ("f1_macro", "accuracy", "detection/auroc")
_GAMES = {"pointing": "maximum within tolerance", "pointing_exact": "maximum inside", "iou": "overlap (IoU)"}


def _robustness(results: Results) -> Section | None:
    found = results.get("robustness")
    if not found:
        return None
    scores = [name for name in _SCORES if name in found["clean"]]
    rows = [["as they are", *(_plain(found["clean"][name]) for name in scores), ""]]
    rows += [
        [
            f"{name}, worst of five",
            *(_plain(curve["worst"]["scores"][metric]) for metric in scores),
            str(curve["worst"]["severity"]),
        ]
        for name, curve in found["corruptions"].items()
    ]
    change, worst = found["worst"]["change"]["f1_macro"], found["worst"]
    text = (
        f"{found['images']} of {found['of']} images, eleven corruptions at five severities. The worst, "
        f"{worst['corruption']} at severity {worst['severity']}, changes macro-F1 by {format_estimate(change)}."
    )
    return Section("Robustness", text, [Table(["images", *scores, "severity"], rows, frozenset({0}))])


def _tta(results: Results) -> Section | None:
    found = results.get("tta")
    if not found:
        return None
    scores = [name for name in _SCORES if name in found["before"]]
    rows = [
        [name, _plain(found["before"][name]), _plain(found["after"][name]), format_estimate(found["change"][name])]
        for name in scores
    ]
    unstable = found["unstable"]
    text = (
        f"Mean over {len(found['views'])} views ({', '.join(found['views'])}) of {found['images']} images. The top "
        f"class changes between views for {unstable['share']:.1%} of them: of these {_plain(unstable['accuracy'])} "
        f"are right, of the others {_plain(unstable['accuracy_of_the_stable'])}. The bundle answers from one view."
    )
    return Section("Test-time augmentation", text, [Table(["metric", "one view", "mean of views", "change"], rows)])


def _ood(results: Results) -> Section | None:
    found = results.get("ood")
    if not found:
        return None
    scans = found["scans"]
    figures = ("auroc", "fpr95", "missed")
    rows = [
        [name, str(one["auroc"]["n"]), *(format_estimate(one[figure]) for figure in figures)]
        for name, one in found["sets"].items()
    ]
    text = (
        f"The detector rejects {format_estimate(scans['rejected'])} of {scans['rejected']['n']} scans of the test "
        f"in {scans['groups']} groups. FPR95 is the share of OOD images that pass where 95 % of scans do; let "
        "through is the share that passes this detector. Sets are made of few sources, or generated: see the README."
    )
    return Section("OOD images", text, [Table(["set", "n", "AUROC", "FPR95", "let through"], rows)])


def _saliency(results: Results) -> Section | None:
    found = results.get("saliency")
    if not found:
        return None
    steps = [
        [step["randomised"], f"{step['weights']:.0%}", f"{step['similarity']:.2f}"] for step in found["sanity"]["steps"]
    ]
    tables = [Table(["random from the head down to", "weights", "rank correlation of maps"], steps)]
    text = found["sanity"]["verdict"]
    if game := found.get("pointing"):
        rows = [
            [title, format_estimate(game[name]), _plain(game[name]["chance"]), _plain(game[name]["centre"])]
            for name, title in _GAMES.items()
        ]
        tables.insert(0, Table(["map against mask", "model", "chance", "centre of the image"], rows))
        n, groups, tolerance = game["images"], game["groups"], game["tolerance_px"]
        text += f" Masks: {n} recognised tumours of {groups} groups, tolerance {tolerance} px."
    return Section("Where the model looks", text, tables)


def _mistakes(results: Results) -> Section | None:
    found = results.get("mistakes")
    if not found:
        return None
    rows = [[row["sample_id"], row["label"], row["prediction"], f"{row['probability']:.1%}"] for row in found]
    text = "The wrong predictions that the model is surest of; beside each the training images most like it."
    return Section("The surest mistakes of the test", text, [Table(["image", "true", "predicted", "confidence"], rows)])


IMAGE_SECTIONS: dict[str, Callable[[Results], Section | None]] = {
    "robustness": _robustness,
    "tta": _tta,
    "ood": _ood,
    "saliency": _saliency,
    "mistakes": _mistakes,
}
"""Name of a section → what makes it of the results; None where they have nothing for it."""


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
