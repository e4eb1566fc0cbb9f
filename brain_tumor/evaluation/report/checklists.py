"""``claim.md`` and ``tripod_ai.md``: reporting checklists, filled from a run; what only the authors know stays open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from brain_tumor import CAUTION
from brain_tumor.evaluation.report.format import format_estimate
from brain_tumor.run_dir.atomic import published_file

CHECKLISTS = {"claim.md": "CLAIM 2024", "tripod_ai.md": "TRIPOD+AI 2024"}
"""File → name."""
OPEN = "**open**"


def write_checklists(folder: Path, results: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, int]:
    """Write both checklists.

    Args:
        folder: Where they go.
        results: The content of ``results.json``.
        facts: The content of ``run.json``; what is not in there stays open.

    Returns:
        File → number of items that are still open.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation.report", "."),
        autoescape=False,  # noqa: S701 - Markdown, of our own figures
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    still_open = {}
    for name, title in CHECKLISTS.items():
        rows = _Rows()
        content = environment.get_template(f"{name}.j2").render(
            title=title, caution=CAUTION, row=rows, told=_told(results, facts)
        )
        content = content.replace("@OPEN@", str(rows.open)).replace("@ALL@", str(rows.all))
        with published_file(folder / name) as draft:
            draft.write_text(content, encoding="utf-8")
        still_open[name] = rows.open
    return still_open


class _Rows:
    """Writes a row of the table, and counts."""

    def __init__(self) -> None:
        self.all = self.open = 0

    def __call__(self, number: str, item: str, answer: str | None, task: str = "") -> str:
        self.all += 1
        self.open += answer is None
        said = f"{OPEN}: {task}" if answer is None else answer
        return f"| {number} | {item} | {said} |"


def _told(results: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str | None]:
    """What a run says of each subject; None where it says nothing."""
    told = dict.fromkeys(
        ("data", "licence", "flow", "partition", "leakage", "model", "weights", "training", "selection", "software"),
        None,
    ) | {"robustness": None, "ood": None, "saliency": None, "external": None}
    return {**told, **_of_results(results), **_of_data(facts.get("data", {})), **_of_run(facts)}


def _of_results(results: Mapping[str, Any]) -> dict[str, str | None]:
    test, n = results["test"], results["n"]["test"]
    parts = results.get("subgroups", [])
    worst = ", ".join(f"{part['attribute']} {part['value']}" for part in parts if part["worst"])
    calibration = results.get("calibration")
    overlap = results.get("overlap")
    points = results.get("operating_points", {"points": []})["points"]
    half = (test["accuracy"]["ci_high"] - test["accuracy"]["ci_low"]) / 2
    headline = f"macro-F1 {format_estimate(test['f1_macro'])}, accuracy {format_estimate(test['accuracy'])}"
    if "detection/auroc" in test:
        headline += f", detection AUROC {format_estimate(test['detection/auroc'])}"
    baseline = results.get("baseline")
    return {
        "numbers": f"test: {n['images']} images in {n['groups']} groups; "
        + ", ".join(f"{name} {count}" for name, count in n["per_class"].items()),
        "sample_size": f"the 95 % interval of accuracy is ± {half:.3f} wide at this size",
        "headline": headline + (f"; 1-NN baseline {baseline['test']['f1_macro']:.3f}" if baseline else ""),
        "uncertainty": "95 % intervals by BCa bootstrap of whole groups (patients), exact where a share is 0 or 1",
        "calibration": f"ECE {format_estimate(calibration['test']['after']['ece'])} after temperature "
        f"{calibration['temperature']:.2f} fitted on validation; report.html"
        if calibration
        else None,
        "thresholds": "; ".join(f"{point['name']} {point['threshold']:.3f}" for point in points)
        + " (chosen on validation)"
        if points
        else None,
        "subgroups": f"report.html, subgroups; worst: {worst}" if parts else None,
        "external": f"this is an external test; {overlap['copies']} of its images show what the model was trained on"
        if overlap
        else None,
        "robustness": "report.html, robustness" if "robustness" in results else None,
        "ood": "report.html, OOD images" if "ood" in results else None,
        "saliency": "report.html, saliency" if "saliency" in results else None,
        "failures": "report.html, confusion matrix" + (" and surest mistakes" if "mistakes" in results else ""),
    }


def _of_data(data: Mapping[str, Any]) -> dict[str, str | None]:
    if "name" not in data:
        return {}
    name = Path(str(data["name"])).name
    found: dict[str, str | None] = {
        "data": f"{name}, digest `{data['digest'][:16]}…`" if "digest" in data else name,
        "licence": data.get("licence"),
    }
    if "train" in data:
        leaks = sum(data["leakage"].values())
        found |= {
            "flow": f"{data['found']} found, {data['readable']} readable, {data['distinct']} distinct images; "
            f"{data['train']} training, {data['val']} validation, {data['test']} test, {data['left_out']} left out",
            "partition": f"split {data['split']}, {data['groups']} groups; a group is a patient, a head, or copies "
            "of an image",
            "leakage": f"{leaks} images cross the split" if leaks else "no patient and no image stands on two sides",
        }
    return found


def _of_run(facts: Mapping[str, Any]) -> dict[str, str | None]:
    model, training = facts.get("model", {}), facts.get("training")
    found: dict[str, str | None] = {}
    if "parameters" in model:
        found["model"] = (
            f"{model['name']}, {model['parameters']:,} parameters, input one grey image of {model['image_size']} px"
        )
        found["weights"] = "ImageNet weights" if model["weights"] != "none" else "random"
    if training:
        found["training"] = "configuration in .hydra/config.yaml, curves in metrics.csv"
        found["selection"] = f"best epoch by {training['monitor']} on validation: {training['best']:.4f}"
    if "versions" in facts:
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        found["software"] = f"{versions}; git {facts.get('git_sha') or 'unknown'}; seed {facts.get('seed')}"
    return found
