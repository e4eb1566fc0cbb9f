"""Sections of ``report.html`` made from ``results.json``; a section without results is left out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brain_tumor.evaluation.report.format import format_estimate, format_number, format_share
from brain_tumor.evaluation.report.headlines import DETECTION, HEADLINES, LOCALIZATION, evaluated_splits
from brain_tumor.evaluation.report.image_sections import ERRORS_TITLE, IMAGE_SECTIONS, LOCALIZATION_SECTIONS
from brain_tumor.evaluation.report.names import SPLITS, in_sentence, metric_name, short_name
from brain_tumor.evaluation.report.page import InlineFigure, SampleImage, Section, Table

Results = Mapping[str, Any]
_PER_CLASS = ("f1", "sensitivity", "specificity", "ppv", "npv", "auroc", "auprc")
_FURTHER = ("kappa", "auprc", "ece_mass", "ece_classwise", "brier", "nll")
_CALIBRATION = ("ece", "ece_mass", "ece_classwise", "brier", "nll", "detection/slope", "detection/intercept")
_OPERATING_POINT = ("sensitivity", "specificity", "ppv", "npv", "ppv_at_prevalence", "npv_at_prevalence")


_ERRORS = (
    "Wrong predictions with the highest confidence, each beside its copy under the heat map. brain-tumor evaluate "
    "run=RUN adds the training images that are most like them."
)


def sections(
    results: Results,
    figures: Mapping[str, Mapping[str, InlineFigure]],
    samples: Sequence[SampleImage] = (),
    errors: Sequence[SampleImage] = (),
) -> list[Section]:
    """Make every section that the results have content for.

    Args:
        results: Content of ``results.json``.
        figures: Name of a section → caption → figure.
        samples: Test images under their maps, which the section on these maps shows.
        errors: The most confident wrong predictions, which have a section of their own.
    """
    makers: dict[str, Callable[[Results], Section | None]] = {
        **LOCALIZATION_SECTIONS,
        "metrics": _metrics,
        "classes": _classes,
        "patients": _patients,
        "calibration": _calibration,
        "decisions": _operating_points,
        "abstention": _abstention,
        "conformal": _conformal,
        "subgroups": _subgroups,
        **IMAGE_SECTIONS,
    }
    made = {name: section for name, maker in makers.items() if (section := maker(results))}
    shown_in = next((name for name in (*LOCALIZATION_SECTIONS, "saliency") if name in made), None)
    first = [Section(ERRORS_TITLE, _ERRORS, samples=errors)] if errors and "mistakes" not in made else []
    return first + [
        Section(section.title, section.text, section.tables, figures.get(name, {}), samples if name == shown_in else ())
        for name, section in made.items()
    ]


def _metrics(results: Results) -> Section:
    splits, n = evaluated_splits(results), results["n"]
    rows, dim = [], set[int]()
    for metric in (
        *HEADLINES,
        *_FURTHER,
        *DETECTION,
        *LOCALIZATION,
        "detection/ppv",
        "detection/npv",
        "detection/auprc",
    ):
        if metric in results["test"]:
            rows.append([metric_name(metric), *(format_estimate(results[split][metric]) for split in splits)])
        if metric == HEADLINES[0] and "baseline" in results:
            dim.add(len(rows))
            scores = (format_number(results["baseline"][split][metric]) for split in splits)
            rows.append(["1-NN baseline", *scores])
    text = (
        f"{n['test']['images']} test images in {n['test']['groups']} groups (a group is a patient, a head, or "
        "duplicates of an image). 95 % intervals: BCa bootstrap of whole groups; exact (Clopper–Pearson, one trial per "
        "group) where a share is 0 or 1. Nothing was chosen on the test split."
    )
    columns = ["metric", *(f"{SPLITS[split]} (n = {n[split]['images']})" for split in splits)]
    return Section("Metrics", text, [Table(columns, rows, frozenset(dim))])


def _classes(results: Results) -> Section:
    test, counts = results["test"], results["n"]["test"]["per_class"]
    rows = [
        [label, str(n), *(format_estimate(test[f"{name}/{label}"]) for name in _PER_CLASS)]
        for label, n in counts.items()
    ]
    return Section("Metrics per class (test)", "", [Table(["class", "n", *map(_column, _PER_CLASS)], rows)])


def _patients(results: Results) -> Section | None:
    patients = results.get("patients")
    if not patients or "test" not in patients:
        return None
    splits, n = evaluated_splits(patients), patients["n"]
    metrics = [metric for metric in (*HEADLINES[:5], *DETECTION) if metric in patients["test"]]
    rows = [
        [metric_name(metric), *(format_estimate(patients[split][metric]) for split in splits)] for metric in metrics
    ]
    mixed = n["test"]["mixed"]
    text = (
        "A group is a patient or, where patients are not known, near-duplicates and similar heads. Mean probability "
        "over its images; a group with any tumour image counts as that tumour."
    ) + (f" {mixed} test groups with several kinds of tumour are left out." if mixed else "")
    columns = ["metric", *(f"{SPLITS[split]} (n = {n[split]['images']} groups)" for split in splits)]
    return Section("Metrics per group", text, [Table(columns, rows)])


def _calibration(results: Results) -> Section | None:
    calibration = results.get("calibration")
    if not calibration:
        return None
    stages = {"before": "as trained", "after": "calibrated"}
    if calibration["temperature"] == 1:
        stages.pop("before")
    test = calibration["test"]
    names = [name for name in _CALIBRATION if name in test["after"]]
    rows = [[metric_name(name), *(format_estimate(test[stage][name]) for stage in stages)] for name in names]
    text = (
        f"Temperature {format_number(calibration['temperature'])}, fitted on validation; metrics are of the test "
        "split. Perfect calibration has slope 1 and intercept 0. The bundle answers with calibrated probabilities."
    )
    return Section("Calibration", text, [Table(["metric", *stages.values()], rows)])


def _operating_points(results: Results) -> Section | None:
    document = results.get("operating_points")
    if not document:
        return None
    rows = [
        [
            f"{point['name']} ({point['target']})" if point.get("target") else point["name"],
            format_number(point["threshold"]),
            *(format_estimate(point["test"][name]) for name in _OPERATING_POINT),
        ]
        for point in document["points"]
    ]
    share = format_share(document["prevalence"])
    text = (
        "Thresholds of the calibrated detection score (1 − p of the healthy class), chosen on validation; metrics are "
        "of the test split. PPV and NPV depend on the prevalence of tumours: the last two columns, and the decision "
        f"curve, assume {share}."
    )
    columns = ["point", "threshold", *map(_column, _OPERATING_POINT[:4]), f"PPV at {share}", f"NPV at {share}"]
    return Section("Detection: operating points", text, [Table(columns, rows)])


def _abstention(results: Results) -> Section | None:
    abstention = results.get("abstention")
    if not abstention:
        return None
    splits = evaluated_splits(abstention)
    rows = [
        [metric_name(name), *(format_estimate(abstention[split][name]) for split in splits)]
        for name in abstention["test"]
    ]
    text = (
        f"The model abstains where its calibrated confidence is below {format_number(abstention['below'])}, chosen on "
        "validation. Coverage is the share of images that it answers; accuracy and macro-F1 are of these. A small "
        "area under the risk–coverage curve is good: the errors have a low confidence."
    )
    return Section("Abstention", text, [Table(["metric", *(SPLITS[split] for split in splits)], rows)])


def _conformal(results: Results) -> Section | None:
    conformal = results.get("conformal")
    if not conformal:
        return None
    kinds = {"marginal": "over all images", "by_class": "per class"}
    rows = [
        [metric_name(name), *(format_estimate(conformal[kind]["test"][name]) for kind in kinds)]
        for name in conformal["marginal"]["test"]
    ]
    text = (
        "Sets of classes, calibrated on validation to contain the true class for "
        f"{format_share(conformal['target'])} of the images; metrics are of the test split."
    )
    return Section("Conformal prediction sets", text, [Table(["metric", *kinds.values()], rows)])


def _subgroups(results: Results) -> Section | None:
    subgroups = results.get("subgroups")
    if not subgroups:
        return None
    rows = [
        [
            f"{subgroup['attribute']}: {subgroup['value']}" + (" (worst)" if subgroup["worst"] else ""),
            str(subgroup["images"]),
            str(subgroup["groups"]),
            format_estimate(subgroup["accuracy"]),
            format_estimate(subgroup["f1_macro"]),
        ]
        for subgroup in subgroups
    ]
    text = "Subgroups with too few images are left out. Macro-F1 is over the classes that a subgroup contains."
    return Section("Subgroups (test)", text, [Table(["subgroup", "n", "groups", "accuracy", "macro-F1"], rows)])


def _column(metric: str) -> str:
    """Name a metric in the head of a narrow column."""
    return in_sentence(short_name(metric))
