"""From predictions tables to all that a reviewer asks of them: the content of ``results.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from brain_tumor.evaluation.calibration import calibrated, fit_temperature
from brain_tumor.evaluation.decisions import abstention as selective
from brain_tumor.evaluation.decisions import conformal
from brain_tumor.evaluation.decisions import operating_points as operating
from brain_tumor.evaluation.decisions.net_benefit import decision_curve
from brain_tumor.evaluation.metrics.estimates import evaluate, numbers, results_document
from brain_tumor.evaluation.metrics.reliability import before_and_after
from brain_tumor.evaluation.predictions import Predictions, by_patient
from brain_tumor.evaluation.subgroups import subgroups


@dataclass(frozen=True)
class Settings:
    """What is asked of the evidence; the configuration's ``evaluation``."""

    resamples: int = 2000
    """Behind each interval."""
    sensitivity: float = 0.95
    """Of the operating point ``sensitive``, on validation."""
    specificity: float = 0.95
    """Of the operating point ``specific``, on validation."""
    prevalence: float = 0.1
    """Share of tumours at which PPV, NPV and net benefit are stated."""
    abstain: float = 0.1
    """Share of validation images, the least sure, that are left to a person."""
    coverage: float = 0.9
    """Of conformal sets."""


@dataclass(frozen=True)
class Chosen:
    """What was chosen on validation, and is applied to test as it is."""

    temperature: float
    """Of the logits."""
    operating_points: dict[str, float]
    """Name → threshold of the calibrated detection score."""
    abstain_below: float | None
    """Calibrated confidence."""


def choose(val: Predictions, settings: Settings) -> Chosen:
    """Choose on validation; thresholds are of calibrated probabilities."""
    temperature = fit_temperature(val)
    table = calibrated(val, temperature)
    return Chosen(
        temperature=temperature,
        operating_points=operating.operating_points(table, settings.sensitivity, settings.specificity),
        abstain_below=selective.abstention_threshold(table, settings.abstain),
    )


def chosen_in(results: Mapping[str, Any]) -> Chosen:
    """What the content of a ``results.json`` says was chosen; nothing is changed where it says nothing."""
    points = results.get("operating_points", {"points": []})["points"]
    return Chosen(
        temperature=results.get("calibration", {"temperature": 1.0})["temperature"],
        operating_points={point["name"]: point["threshold"] for point in points},
        abstain_below=results.get("abstention", {"below": None})["below"],
    )


def evidence(
    splits: dict[str, Predictions],
    settings: Settings,
    seed: int = 0,
    chosen: Chosen | None = None,
    attributes: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Everything that predictions alone can tell.

    Args:
        splits: ``test``, and ``val`` if there is one: without it nothing is chosen that was not chosen before.
        settings: What is asked.
        seed: Of the bootstrap.
        chosen: What was chosen before, with a frozen model; None chooses on ``val``.
        attributes: Of the test images, see `brain_tumor.evaluation.subgroups.subgroups`.

    Returns:
        ``val`` and ``test`` (metrics as the network gives its probabilities), ``n``, and where there is something to
        tell ``patients``, ``calibration``, ``operating_points``, ``decision_curve``, ``abstention``, ``conformal`` and
        ``subgroups``, see the README's "results.json". All thresholds act on calibrated probabilities.
    """
    options = {"resamples": settings.resamples, "seed": seed}
    document = results_document(splits, **options)
    test, val = splits["test"], splits.get("val")
    if chosen is None and val is not None:
        chosen = choose(val, settings)
    found: dict[str, Any] = {"patients": _patients(splits, options)}
    if chosen is not None:
        tables = {split: calibrated(predictions, chosen.temperature) for split, predictions in splits.items()}
        found |= _with_choices(splits, tables, chosen, settings, options)
    if val is not None and chosen is not None:
        found["conformal"] = _conformal(tables["val"], tables["test"], settings.coverage, options)
    if attributes is not None:
        found["subgroups"] = subgroups(test, attributes, **options)
    return document | {name: value for name, value in found.items() if value}


def _patients(splits: dict[str, Predictions], options: dict[str, int]) -> dict[str, Any]:
    found = {split: table for split, predictions in splits.items() if (table := by_patient(predictions))}
    if not found:
        return {}
    metrics: dict[str, Any] = {split: evaluate(table.predictions, **options) for split, table in found.items()}
    n = {split: {**numbers(table.predictions), "mixed": table.mixed} for split, table in found.items()}
    return metrics | {"n": n}


def _with_choices(
    raw: dict[str, Predictions],
    tables: dict[str, Predictions],
    chosen: Chosen,
    settings: Settings,
    options: dict[str, int],
) -> dict[str, Any]:
    calibration = {split: before_and_after(table, chosen.temperature, **options) for split, table in raw.items()}
    found: dict[str, Any] = {"calibration": {"temperature": chosen.temperature, **calibration}}
    if chosen.operating_points and tables["test"].healthy is not None:
        points = [
            {
                "name": name,
                "threshold": threshold,
                **{
                    split: operating.judged(table, threshold, settings.prevalence, **options)
                    for split, table in tables.items()
                },
            }
            for name, threshold in chosen.operating_points.items()
        ]
        curve = decision_curve(tables["test"], settings.prevalence, **options)
        found["operating_points"] = {"prevalence": settings.prevalence, "points": points}
        found["decision_curve"] = {"prevalence": settings.prevalence, "points": curve.to_dict("records")}
    if chosen.abstain_below is not None:
        judged = {split: selective.judged(table, chosen.abstain_below, **options) for split, table in tables.items()}
        found["abstention"] = {"below": chosen.abstain_below, **judged}
    return found


def _conformal(val: Predictions, test: Predictions, coverage: float, options: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {"asked": coverage}
    for name, by_class in {"marginal": False, "by_class": True}.items():
        limits = conformal.thresholds(val, coverage, by_class)
        members = conformal.sets(test, limits)
        limit = dict(zip(val.classes, limits.tolist(), strict=True))
        found[name] = {"limits": limit, "test": conformal.judged(test, members, **options)}
    return found


def flat_metrics(results: dict[str, Any]) -> dict[str, float]:
    """``{"final/test/f1_macro": …}`` for experiment loggers; what is undefined is left out."""
    metrics = {
        f"final/{split}/{metric}": estimate["value"]
        for split in ("val", "test")
        for metric, estimate in results[split].items()
        if estimate["value"] is not None
    }
    return metrics | _chosen(results) | {f"final/leakage/{name}": float(n) for name, n in results["leakage"].items()}


def _chosen(results: dict[str, Any]) -> dict[str, float]:
    """What was chosen on validation, and what it comes to on test."""
    found = {"temperature": results["calibration"]["temperature"]}
    found |= {f"test/calibrated/{name}": one["value"] for name, one in results["calibration"]["test"]["after"].items()}
    found |= {f"test/abstention/{name}": one["value"] for name, one in results["abstention"]["test"].items()}
    for point in results.get("operating_points", {"points": []})["points"]:
        found[f"threshold/{point['name']}"] = point["threshold"]
        found |= {f"test/{point['name']}/{name}": one["value"] for name, one in point["test"].items()}
    return {f"final/{name}": value for name, value in found.items() if value is not None}
