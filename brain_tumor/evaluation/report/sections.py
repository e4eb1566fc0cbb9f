"""From ``results.json`` to the report's sections; what is not in there has no section."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from brain_tumor.evaluation.report.format import DETECTION, HEADLINES, format_estimate, splits_of
from brain_tumor.evaluation.report.image_sections import IMAGE_SECTIONS
from brain_tumor.evaluation.report.page import Section, Table, Tile

Results = Mapping[str, Any]
PER_CLASS = ("f1", "sensitivity", "specificity", "ppv", "npv", "auroc", "auprc")
FURTHER = ("kappa", "auprc", "ece_mass", "ece_classwise", "brier", "nll")
_CALIBRATION = ("ece", "ece_mass", "ece_classwise", "brier", "nll", "detection/slope", "detection/intercept")
_POINT = ("sensitivity", "specificity", "ppv", "npv", "ppv_at_prevalence", "npv_at_prevalence")


def tiles(results: Results) -> list[Tile]:
    """The figures of the test that are seen first, and the baseline."""
    names = {
        "f1_macro": "Macro-F1",
        "balanced_accuracy": "Balanced accuracy",
        "auroc": "AUROC, one class against the rest",
        "detection/auroc": "Detection AUROC, tumour or not",
    }
    found = [_tile(name, results["test"][metric]) for metric, name in names.items() if metric in results["test"]]
    if baseline := results.get("baseline"):
        found.append(Tile("Macro-F1 of the baseline", f"{baseline['test']['f1_macro']:.3f}", baseline["name"]))
    return found


def sections(results: Results, figures: Mapping[str, dict[str, Path]]) -> list[Section]:
    """All sections that the results have something for.

    Args:
        results: The content of ``results.json``.
        figures: Name of a section → caption → PNG file.
    """
    makers: dict[str, Callable[[Results], Section | None]] = {
        "metrics": _metrics,
        "classes": _classes,
        "patients": _patients,
        "calibration": _calibration,
        "decisions": _decisions,
        "abstention": _abstention,
        "conformal": _conformal,
        "subgroups": _subgroups,
        **IMAGE_SECTIONS,
    }
    made = {name: section for name, maker in makers.items() if (section := maker(results))}
    return [
        Section(section.title, section.text, section.tables, figures.get(name, {})) for name, section in made.items()
    ]


def _metrics(results: Results) -> Section:
    splits, n = splits_of(results), results["n"]
    table, dim = [], set[int]()
    for metric in (*HEADLINES, *FURTHER, *DETECTION, "detection/ppv", "detection/npv", "detection/auprc"):
        if metric in results["test"]:
            table.append([metric, *(format_estimate(results[split][metric]) for split in splits)])
        if metric == "f1_macro" and "baseline" in results:
            dim.add(len(table))
            table.append(
                ["f1_macro of the baseline", *(f"{results['baseline'][split]['f1_macro']:.3f}" for split in splits)]
            )
    text = (
        f"{n['test']['images']} images in {n['test']['groups']} groups (a patient, a head, or copies of an image). "
        "95 % intervals: BCa bootstrap of whole groups; exact (Clopper–Pearson, a group as one trial) where a share is "
        "0 or 1. Nothing was chosen on the test."
    )
    columns = ["metric", *(f"{split} (n = {n[split]['images']})" for split in splits)]
    return Section("Test", text, [Table(columns, table, frozenset(dim))])


def _classes(results: Results) -> Section:
    test, counts = results["test"], results["n"]["test"]["per_class"]
    rows = [
        [label, str(n), *(format_estimate(test[f"{name}/{label}"]) for name in PER_CLASS)]
        for label, n in counts.items()
    ]
    return Section("Test, class by class", "", [Table(["class", "n", *PER_CLASS], rows)])


def _patients(results: Results) -> Section | None:
    found = results.get("patients")
    if not found or "test" not in found:
        return None
    splits, n = splits_of(found), found["n"]
    metrics = [metric for metric in (*HEADLINES[:5], *DETECTION) if metric in found["test"]]
    rows = [[metric, *(format_estimate(found[split][metric]) for split in splits)] for metric in metrics]
    mixed = n["test"]["mixed"]
    text = "Mean probability over the images of each group; a group with any tumour image counts as that tumour." + (
        f" {mixed} groups of the test show several kinds of tumour and are left out." if mixed else ""
    )
    columns = ["metric", *(f"{split} (n = {n[split]['images']} groups)" for split in splits)]
    return Section("Patient by patient", text, [Table(columns, rows)])


def _calibration(results: Results) -> Section | None:
    found = results.get("calibration")
    if not found:
        return None
    kinds = {"before": "as trained", "after": "calibrated"}
    if found["temperature"] == 1:
        kinds.pop("before")
    names = [name for name in _CALIBRATION if name in found["test"]["after"]]
    rows = [[name, *(format_estimate(found["test"][kind][name]) for kind in kinds)] for name in names]
    text = (
        f"Temperature {found['temperature']:.3f}, fitted on validation; figures are of the test. A slope of 1 and an "
        "intercept of 0 are right. The model's bundle answers with calibrated probabilities."
    )
    return Section("Calibration", text, [Table(["metric", *kinds.values()], rows)])


def _decisions(results: Results) -> Section | None:
    found = results.get("operating_points")
    if not found:
        return None
    rows = [
        [point["name"], f"{point['threshold']:.3f}", *(format_estimate(point["test"][name]) for name in _POINT)]
        for point in found["points"]
    ]
    share = f"{found['prevalence']:.0%}"
    text = (
        "Thresholds of the calibrated detection score (1 − p of the healthy class), chosen on validation; figures are "
        f"of the test. PPV and NPV depend on how many of those scanned have a tumour: the last two columns, and the "
        f"decision curve, state {share}."
    )
    columns = ["point", "threshold", *_POINT[:4], f"ppv at {share}", f"npv at {share}"]
    return Section("Detection: operating points", text, [Table(columns, rows)])


def _abstention(results: Results) -> Section | None:
    found = results.get("abstention")
    if not found:
        return None
    splits = splits_of(found)
    rows = [[name, *(format_estimate(found[split][name]) for split in splits)] for name in found["test"]]
    text = (
        f"The model abstains where its calibrated confidence is below {found['below']:.3f}, chosen on validation; "
        "coverage is the share that it answers, accuracy and f1_macro are of these. AURC is the area under the "
        "risk–coverage curve; lower is better."
    )
    return Section("Abstaining", text, [Table(["", *splits], rows)])


def _conformal(results: Results) -> Section | None:
    found = results.get("conformal")
    if not found:
        return None
    kinds = {"marginal": "for all images together", "by_class": "for each class"}
    rows = [
        [name, *(format_estimate(found[kind]["test"][name]) for kind in kinds)] for name in found["marginal"]["test"]
    ]
    text = (
        f"Sets of classes that are to hold the true one for {found['asked']:.0%} of images, calibrated on validation; "
        "figures are of the test."
    )
    return Section("Conformal sets", text, [Table(["", *kinds.values()], rows)])


def _subgroups(results: Results) -> Section | None:
    found = results.get("subgroups")
    if not found:
        return None
    rows = [
        [
            f"{part['attribute']}: {part['value']}" + (" (worst)" if part["worst"] else ""),
            str(part["images"]),
            str(part["groups"]),
            format_estimate(part["accuracy"]),
            format_estimate(part["f1_macro"]),
        ]
        for part in found
    ]
    text = "Parts with too few images are left out. Macro-F1 is over the classes that a part has."
    return Section("Subgroups of the test", text, [Table(["part", "n", "groups", "accuracy", "f1_macro"], rows)])


def _tile(name: str, estimate: Mapping[str, float | None]) -> Tile:
    value, _, span = format_estimate(estimate).partition(" ")
    return Tile(name, value, f"95 % CI {span or '–'}")
