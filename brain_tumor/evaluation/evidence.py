"""All evaluation of predictions tables: the content of ``results.json`` that needs no images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from brain_tumor.evaluation.calibration import calibrated, fit_temperature
from brain_tumor.evaluation.decisions import abstention, conformal, operating_points
from brain_tumor.evaluation.decisions.net_benefit import decision_curve
from brain_tumor.evaluation.metrics.estimates import evaluate, numbers, results_document
from brain_tumor.evaluation.metrics.reliability import before_and_after, observed_accuracy
from brain_tumor.evaluation.predictions import Predictions, by_patient
from brain_tumor.evaluation.subgroups import evaluate_subgroups


@dataclass(frozen=True)
class Settings:
    """Settings of the evaluation; the configuration group ``evaluation``."""

    resamples: int = 2000
    """Number of bootstrap resamples of each interval."""
    sensitivity: float = 0.95
    """Smallest sensitivity of the operating point ``sensitive`` on validation, in [0, 1]."""
    specificity: float = 0.95
    """Smallest specificity of the operating point ``specific`` on validation, in [0, 1]."""
    prevalence: float = 0.1
    """Share of tumours at which PPV, NPV and net benefit are stated, in (0, 1)."""
    abstain: float = 0.1
    """Share of validation images, those of lowest confidence, on which the model abstains, in [0, 1)."""
    coverage: float = 0.9
    """Coverage of conformal prediction sets, in (0, 1)."""


@dataclass(frozen=True)
class DecisionRules:
    """Rules that were chosen on validation and are applied unchanged to other data."""

    temperature: float
    """Divisor of the logits."""
    operating_points: dict[str, float]
    """Name → threshold of the calibrated detection score."""
    abstain_below: float | None
    """Calibrated probability of the predicted class below which the model abstains; None: never."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """Name of an operating point → what it was chosen for; empty for rules of version 0.1."""


def choose_decision_rules(val: Predictions, settings: Settings) -> DecisionRules:
    """Choose rules on validation; thresholds apply to calibrated probabilities."""
    temperature = fit_temperature(val)
    table = calibrated(val, temperature)
    return DecisionRules(
        temperature=temperature,
        operating_points=operating_points.choose_operating_points(table, settings.sensitivity, settings.specificity),
        abstain_below=abstention.abstention_threshold(table, settings.abstain),
        targets=operating_points.targets(settings.sensitivity, settings.specificity),
    )


def decision_rules_in(results: Mapping[str, Any]) -> DecisionRules:
    """Read the rules from the content of a ``results.json``; rules that it lacks have no effect."""
    points = results.get("operating_points", {"points": []})["points"]
    return DecisionRules(
        temperature=results.get("calibration", {"temperature": 1.0})["temperature"],
        operating_points={point["name"]: point["threshold"] for point in points},
        abstain_below=results.get("abstention", {"below": None})["below"],
        targets={point["name"]: point["target"] for point in points if point.get("target")},
    )


def evidence(
    splits: dict[str, Predictions],
    settings: Settings,
    seed: int = 0,
    rules: DecisionRules | None = None,
    attributes: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Evaluate predictions.

    Args:
        splits: Predictions of ``test`` and, if there are any, of ``val``. Without ``val`` and ``rules`` there are no
            decision rules, and nothing that depends on them.
        settings: Settings of the evaluation.
        seed: Seed of the bootstrap.
        rules: Decision rules of a trained model; None chooses them on ``val``.
        attributes: Attributes of the test images, see `brain_tumor.evaluation.subgroups.evaluate_subgroups`.

    Returns:
        ``val`` and ``test`` (metrics of uncalibrated probabilities), ``n``, and where defined ``patients``,
        ``calibration``, ``operating_points``, ``decision_curve``, ``abstention``, ``conformal``, ``observed_accuracy``
        (on val) and ``subgroups``.
        All thresholds apply to calibrated probabilities.
    """
    options = {"resamples": settings.resamples, "seed": seed}
    document = results_document(splits, **options)
    test, val = splits["test"], splits.get("val")
    if rules is None and val is not None:
        rules = choose_decision_rules(val, settings)
    sections: dict[str, Any] = {"patients": _patients(splits, options)}
    if rules is not None:
        tables = {split: calibrated(predictions, rules.temperature) for split, predictions in splits.items()}
        sections |= _decisions(splits, tables, rules, settings, options)
    if val is not None and rules is not None:
        sections["conformal"] = _conformal(tables["val"], tables["test"], settings.coverage, options)
        sections["observed_accuracy"] = observed_accuracy(tables["val"])
    if attributes is not None:
        sections["subgroups"] = evaluate_subgroups(test, attributes, **options)
    return document | {name: section for name, section in sections.items() if section}


def _patients(splits: dict[str, Predictions], options: dict[str, int]) -> dict[str, Any]:
    patients = {split: table for split, predictions in splits.items() if (table := by_patient(predictions))}
    if not patients:
        return {}
    metrics: dict[str, Any] = {split: evaluate(table.predictions, **options) for split, table in patients.items()}
    n = {split: {**numbers(table.predictions), "mixed": table.mixed} for split, table in patients.items()}
    return metrics | {"n": n}


def _decisions(
    uncalibrated: dict[str, Predictions],
    tables: dict[str, Predictions],
    rules: DecisionRules,
    settings: Settings,
    options: dict[str, int],
) -> dict[str, Any]:
    temperature = rules.temperature
    calibration = {split: before_and_after(table, temperature, **options) for split, table in uncalibrated.items()}
    sections: dict[str, Any] = {"calibration": {"temperature": temperature, **calibration}}
    if rules.operating_points and tables["test"].healthy is not None:
        points = [
            {
                "name": name,
                "target": rules.targets.get(name, ""),
                "threshold": threshold,
                **{
                    split: operating_points.evaluate_threshold(table, threshold, settings.prevalence, **options)
                    for split, table in tables.items()
                },
            }
            for name, threshold in rules.operating_points.items()
        ]
        curve = decision_curve(tables["test"], settings.prevalence, **options)
        sections["operating_points"] = {"prevalence": settings.prevalence, "points": points}
        sections["decision_curve"] = {"prevalence": settings.prevalence, "points": curve.to_dict("records")}
    if rules.abstain_below is not None:
        below = rules.abstain_below
        metrics = {split: abstention.evaluate_abstention(table, below, **options) for split, table in tables.items()}
        sections["abstention"] = {"below": below, **metrics}
    return sections


def _conformal(val: Predictions, test: Predictions, coverage: float, options: dict[str, int]) -> dict[str, Any]:
    section: dict[str, Any] = {"target": coverage}
    for name, by_class in {"marginal": False, "by_class": True}.items():
        limits = conformal.thresholds(val, coverage, by_class)
        members = conformal.prediction_sets(test, limits)
        section[name] = {
            "limits": dict(zip(val.classes, limits.tolist(), strict=True)),
            "test": conformal.evaluate_sets(test, members, **options),
        }
    return section


def flat_metrics(results: dict[str, Any]) -> dict[str, float]:
    """Flatten results for experiment loggers, as ``{"final/test/f1_macro": …}``; undefined values are left out."""
    metrics = {
        f"final/{split}/{metric}": estimate["value"]
        for split in ("val", "test")
        for metric, estimate in results[split].items()
        if estimate["value"] is not None
    }
    leakage = {f"final/leakage/{name}": float(n) for name, n in results["leakage"].items()}
    return metrics | _flat_decisions(results) | leakage


def _flat_decisions(results: dict[str, Any]) -> dict[str, float]:
    """Flatten the decision rules and their metrics on test."""
    calibration, abstaining = results["calibration"], results["abstention"]["test"]
    metrics = {"temperature": calibration["temperature"]}
    metrics |= {f"test/calibrated/{name}": metric["value"] for name, metric in calibration["test"]["after"].items()}
    metrics |= {f"test/abstention/{name}": metric["value"] for name, metric in abstaining.items()}
    for point in results.get("operating_points", {"points": []})["points"]:
        metrics[f"threshold/{point['name']}"] = point["threshold"]
        metrics |= {f"test/{point['name']}/{name}": metric["value"] for name, metric in point["test"].items()}
    return {f"final/{name}": value for name, value in metrics.items() if value is not None}
