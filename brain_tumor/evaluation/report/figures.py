"""The figures of a report, as files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from brain_tumor.evaluation.calibration import calibrated
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.report import plots as decision_figures
from brain_tumor.evaluation.report import plots as figures

Drawn = dict[str, dict[str, Path]]
"""Section of the report → caption → PNG file."""


def draw(results: Mapping[str, Any], test: Predictions, folder: Path, epochs: pd.DataFrame | None = None) -> Drawn:
    """Draw what the results have something for.

    Args:
        results: The content of ``results.json``.
        test: As trained.
        folder: Of the files; made if it is missing.
        epochs: ``metrics.csv`` of a training, if there was one.
    """
    folder.mkdir(exist_ok=True)
    temperature = results["calibration"]["temperature"] if "calibration" in results else None
    sure = calibrated(test, temperature) if temperature else None
    plans: dict[str, dict[str, tuple[str, Callable[[], Figure]]]] = {
        "metrics": {
            "Confusion matrix (test)": ("confusion_matrix", lambda: figures.confusion_matrix(test)),
            "ROC curves (test)": ("roc", lambda: figures.roc_curves(test)),
            "Precision–recall curves (test)": ("pr", lambda: figures.pr_curves(test)),
        },
        "calibration": {
            "Reliability (test)": ("reliability", lambda: figures.reliability(test, sure if temperature != 1 else None))
        },
    }
    if epochs is not None:
        plans["metrics"] |= {"Loss curves": ("loss_curves", lambda: figures.loss_curves(epochs))}
    if curve := results.get("decision_curve"):
        plans["decisions"] = {
            "Decision curve (test)": ("decision_curve", lambda: decision_figures.decision_curve(curve))
        }
    if sure and (abstention := results.get("abstention")):
        plans["abstention"] = {
            "Risk over coverage (test)": (
                "risk_coverage",
                lambda: decision_figures.risk_over_coverage(sure, abstention["below"]),
            )
        }
    if found := results.get("subgroups"):
        plans["subgroups"] = {"Accuracy by part (test)": ("subgroups", lambda: decision_figures.parts(found))}
    return {
        section: {caption: _saved(make(), folder / f"{name}.png") for caption, (name, make) in plan.items()}
        for section, plan in plans.items()
    }


def _saved(figure: Figure, path: Path) -> Path:
    figures.save_figure(figure, path)
    return path
