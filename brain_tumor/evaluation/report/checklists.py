"""Reporting checklists, filled from a run; items that only the authors can fill stay open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brain_tumor.evaluation.report.format import format_estimate, format_number
from brain_tumor.evaluation.report.page import render
from brain_tumor.run_dir.atomic import published_file

CHECKLISTS = {"claim.md": "CLAIM 2024", "tripod_ai.md": "TRIPOD+AI 2024"}
"""File → title."""
_OPEN = "**open**"
Answers = dict[str, str | None]
"""Topic → text for a checklist; None where the run has no answer."""
_TOPICS = (
    "data", "licence", "flow", "partition", "leakage", "model", "weights", "training", "selection", "software",
)  # fmt: skip


def write_checklists(folder: Path, results: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, int]:
    """Write both checklists.

    Args:
        folder: Directory of the files.
        results: Content of ``results.json``.
        facts: Content of ``run.json``; items that need what it lacks stay open.

    Returns:
        File → number of open items.
    """
    answers = {
        **dict.fromkeys(_TOPICS),
        **_result_answers(results),
        **_data_answers(facts.get("data", {})),
        **_run_answers(facts),
    }
    open_items = {}
    for name, title in CHECKLISTS.items():
        text = render(f"{name}.j2", title=title, run=answers, row=_row)
        with published_file(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")
        open_items[name] = text.count(f"| {_OPEN}")
    return open_items


def _row(number: str, item: str, answer: str | None, task: str = "") -> str:
    """Write a row of the table; without an answer the item is open, with the task that it leaves to the authors."""
    return f"| {number} | {item} | {f'{_OPEN}: {task}' if answer is None else answer} |"


def _result_answers(results: Mapping[str, Any]) -> Answers:
    test, n = results["test"], results["n"]["test"]
    subgroups = results.get("subgroups", [])
    worst = ", ".join(f"{subgroup['attribute']} {subgroup['value']}" for subgroup in subgroups if subgroup["worst"])
    calibration = results.get("calibration")
    overlap = results.get("overlap")
    points = results.get("operating_points", {"points": []})["points"]
    half_width = (test["accuracy"]["ci_high"] - test["accuracy"]["ci_low"]) / 2
    headline = f"macro-F1 {format_estimate(test['f1_macro'])}, accuracy {format_estimate(test['accuracy'])}"
    if "detection/auroc" in test:
        headline += f", detection AUROC {format_estimate(test['detection/auroc'])}"
    if baseline := results.get("baseline"):
        headline += f"; 1-NN baseline {format_number(baseline['test']['f1_macro'])}"
    return {
        "numbers": f"test: {n['images']} images in {n['groups']} groups; "
        + ", ".join(f"{name} {count}" for name, count in n["per_class"].items()),
        "sample_size": f"the 95 % interval of accuracy is ± {format_number(half_width)} at this size",
        "headline": headline,
        "uncertainty": "95 % intervals by BCa bootstrap of whole groups (patients), exact where a share is 0 or 1",
        "calibration": f"ECE {format_estimate(calibration['test']['after']['ece'])} after temperature "
        f"{format_number(calibration['temperature'], 2)} fitted on validation; report.html"
        if calibration
        else None,
        "thresholds": "; ".join(f"{point['name']} {format_number(point['threshold'])}" for point in points)
        + " (chosen on validation)"
        if points
        else None,
        "subgroups": f"report.html, subgroups; worst: {worst}" if subgroups else None,
        "external": f"this is an external test; {overlap['copies']} of its images duplicate training data, and "
        f"{overlap['same_patient']} more show a patient of the training data"
        if overlap
        else None,
        "robustness": "report.html, robustness" if "robustness" in results else None,
        "ood": "report.html, OOD detection" if "ood" in results else None,
        "saliency": "report.html, saliency" if "saliency" in results else None,
        "failures": "report.html, confusion matrix" + (" and most confident errors" if "mistakes" in results else ""),
    }


def _data_answers(data: Mapping[str, Any]) -> Answers:
    if "name" not in data:
        return {}
    name = Path(str(data["name"])).name
    answers: Answers = {
        "data": f"{name}, digest `{data['digest'][:16]}…`" if "digest" in data else name,
        "licence": data.get("licence"),
    }
    if "train" in data:
        leaks = sum(data["leakage"].values())
        answers |= {
            "flow": f"{data['found']} found, {data['readable']} readable, {data['distinct']} distinct images; "
            f"{data['train']} training, {data['val']} validation, {data['test']} test, {data['left_out']} left out",
            "partition": f"split {data['split']}, {data['groups']} groups; {_grouping(data)}",
            "leakage": (f"{leaks} images leak across the split" if leaks else "no group and no image is in two splits")
            + f"; {_grouping(data)}",
        }
    return answers


def _grouping(data: Mapping[str, Any]) -> str:
    """What a group is; runs of version 0.1 do not say it."""
    return str(data.get("grouping", "a group is a patient, a head, or duplicates of an image"))


def _run_answers(facts: Mapping[str, Any]) -> Answers:
    model, training = facts.get("model", {}), facts.get("training")
    answers: Answers = {}
    if "parameters" in model:
        answers["model"] = (
            f"{model['name']}, {model['parameters']:,} parameters, input one grey image of {model['image_size']} px"
        )
        answers["weights"] = "ImageNet weights" if model["weights"] != "none" else "random"
    if training:
        answers["training"] = "configuration in .hydra/config.yaml, curves in metrics.csv"
        answers["selection"] = f"best epoch by {training['monitor']} on validation: {training['best']:.4f}"
    if "versions" in facts:
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        answers["software"] = f"{versions}; git {facts.get('git_sha') or 'unknown'}; seed {facts.get('seed')}"
    return answers
