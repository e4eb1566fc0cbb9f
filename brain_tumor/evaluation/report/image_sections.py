"""Sections of ``report.html`` on evidence from images: robustness, OOD detection, saliency, most confident errors."""

from collections.abc import Callable, Mapping
from typing import Any

from brain_tumor.evaluation.report.format import format_estimate, format_number, format_share
from brain_tumor.evaluation.report.names import metric_name
from brain_tumor.evaluation.report.page import Section, Table

Results = Mapping[str, Any]
ERRORS_TITLE = "Most confident errors (test)"
_SCORES = ("f1_macro", "accuracy", "detection/auroc")
_LOCALIZATION = ("pointing", "dice", "iou", "iou50", "false_area")
_POINTING = ("pointing", "pointing_exact", "iou")


def _localization(results: Results) -> Section | None:
    document, test = results.get("localization"), results["test"]
    if not document or test.get("localization/pointing", {}).get("value") is None:
        return None
    references = document.get("test", {})
    rows = [
        [metric_name(f"localization/{name}"), format_estimate(test[f"localization/{name}"])]
        for name in _LOCALIZATION
        if f"localization/{name}" in test
    ]
    points = [
        [title, format_number(value)]
        for title, value in (
            ("the map", test["localization/pointing"]["value"]),
            ("HiResCAM, which needs no masks (recognised tumours)", _cam(results)),
            ("the centre of the head", references.get("centre")),
            ("a random point in the head", references.get("chance")),
        )
        if value is not None
    ]
    n, grid = test["localization/pointing"]["n"], " × ".join(map(str, document["grid"]))
    text = (
        f"The network draws a map of {grid} cells, trained on masks. A pixel is marked from a probability of "
        f"{document['threshold']:.2f} on, which was chosen on validation. {n} test images have a mask with a tumour. "
        "In the images the colour is the map, the orange line surrounds what it marks, the blue line is the mask."
    )
    tables = [Table(["map and mask (test)", "value"], rows), Table(["share of tumours hit by", "value"], points)]
    return Section("Where is the tumour?", text, tables)


def _cam(results: Results) -> float | None:
    """Return the share of hits of HiResCAM, if the evaluation computed it."""
    value: float | None = results.get("saliency", {}).get("pointing", {}).get("pointing", {}).get("value")
    return value


def _robustness(results: Results) -> Section | None:
    document = results.get("robustness")
    if not document:
        return None
    scores = [name for name in _SCORES if name in document["clean"]]
    rows = [["clean", *(format_number(document["clean"][name]) for name in scores), ""]]
    rows += [
        [
            f"{name}, worst severity",
            *(format_number(curve["worst"]["scores"][metric]) for metric in scores),
            str(curve["worst"]["severity"]),
        ]
        for name, curve in document["corruptions"].items()
    ]
    worst = document["worst"]
    text = (
        f"{document['images']} of {document['of']} images, eleven corruptions at five severities. The worst, "
        f"{worst['corruption']} at severity {worst['severity']}, changes macro-F1 by "
        f"{format_estimate(worst['change']['f1_macro'])}."
    )
    return Section("Robustness", text, [Table(["images", *map(metric_name, scores), "severity"], rows, frozenset({0}))])


def _tta(results: Results) -> Section | None:
    document = results.get("tta")
    if not document:
        return None
    before, after, change = document["before"], document["after"], document["change"]
    rows = [
        [metric_name(name), format_number(before[name]), format_number(after[name]), format_estimate(change[name])]
        for name in _SCORES
        if name in before
    ]
    unstable = document["unstable"]
    text = (
        f"Mean over {len(document['views'])} views ({', '.join(document['views'])}) of {document['images']} images. "
        f"The predicted class changes between views for {format_share(unstable['share'], 1)} of the images; accuracy "
        f"is {format_number(unstable['accuracy'])} on these and {format_number(unstable['accuracy_of_the_stable'])} on "
        "the others. The bundle answers from one view."
    )
    return Section("Test-time augmentation", text, [Table(["metric", "one view", "mean of views", "change"], rows)])


def _ood(results: Results) -> Section | None:
    document = results.get("ood")
    if not document:
        return _missed(results)
    scans = document["scans"]
    rows = [
        [name, str(entry["auroc"]["n"]), *(format_estimate(entry[metric]) for metric in ("auroc", "fpr95", "missed"))]
        for name, entry in document["sets"].items()
    ]
    text = (
        f"The OOD detector rejects {format_estimate(scans['rejected'])} of {scans['rejected']['n']} test scans in "
        f"{scans['groups']} groups. FPR95 is the share of OOD images accepted where 95 % of the scans are accepted; "
        "missed is the share accepted at this detector's threshold. The sets have few sources, or are generated: see "
        "Limits in the project's README."
    )
    return Section("OOD detection", text, [Table(["set", "n", "AUROC", "FPR95", "missed"], rows)])


def _missed(results: Results) -> Section | None:
    """What training measures of the detector; ``evaluate run=`` measures more."""
    document = results.get("ood_rejection", {})
    if not document.get("missed"):
        return None
    rows = [[name, str(share["n"]), format_estimate(share)] for name, share in document["missed"].items()]
    text = (
        f"The OOD detector rejects {format_estimate(document['test'])} of the test scans. Missed is the share of OOD "
        "images that it accepts. The sets have few sources, or are generated: see Limits in the project's README."
    )
    return Section("OOD detection", text, [Table(["set", "n", "missed"], rows)])


def _saliency(results: Results) -> Section | None:
    document = results.get("saliency")
    if not document:
        return None
    check = document["sanity"]
    steps = [
        [step["randomised"], format_share(step["weights"]), format_number(step["similarity"], 2)]
        for step in check["steps"]
    ]
    tables = [Table(["randomised from the head down to", "weights", "rank correlation of maps"], steps)]
    text = check["verdict"]
    if game := document.get("pointing"):
        rows = [
            [
                metric_name(name),
                format_estimate(game[name]),
                format_number(game[name]["chance"]),
                format_number(game[name]["centre"]),
            ]
            for name in _POINTING
        ]
        tables.insert(0, Table(["map against mask", "model", "chance", "centre of the image"], rows))
        text += (
            f" Masks: {game['images']} correctly classified tumours in {game['groups']} groups, tolerance "
            f"{game['tolerance_px']} px."
        )
    return Section("Saliency", text, tables)


def _errors(results: Results) -> Section | None:
    errors = results.get("mistakes")
    if not errors:
        return None
    rows = [
        [error["sample_id"], error["label"], error["prediction"], format_share(error["probability"], 1)]
        for error in errors
    ]
    text = (
        "Wrong predictions with the highest confidence. The figure shows the most similar training images beside them, "
        "where training images are available."
    )
    return Section(ERRORS_TITLE, text, [Table(["image", "true", "predicted", "confidence"], rows)])


LOCALIZATION_SECTIONS: dict[str, Callable[[Results], Section | None]] = {"localization": _localization}
"""Sections on the map, in the same form as `IMAGE_SECTIONS`."""
IMAGE_SECTIONS: dict[str, Callable[[Results], Section | None]] = {
    "robustness": _robustness,
    "tta": _tta,
    "ood": _ood,
    "saliency": _saliency,
    "mistakes": _errors,
}
"""Name of a section → function that makes it from the results; it returns None where they have no content for it."""
