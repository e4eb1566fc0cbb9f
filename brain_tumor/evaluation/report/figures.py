"""The figures of a report: as files, and as part of its page."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from brain_tumor.evaluation.calibration import calibrated
from brain_tumor.evaluation.explain.gallery import Examples, examples_figure
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.report import plots
from brain_tumor.evaluation.report.inline_figures import inline_figure
from brain_tumor.evaluation.report.page import InlineFigure

Figures = dict[str, dict[str, InlineFigure]]
"""Section of the report → caption → figure."""


def draw_figures(
    results: Mapping[str, Any],
    test: Predictions,
    folder: Path,
    epochs: pd.DataFrame | None = None,
    examples: Examples | None = None,
    options: plots.FigureFormats = plots.PNG,
) -> Figures:
    """Draw every figure that the results have content for.

    Args:
        results: Content of ``results.json``.
        test: Predictions of the test split, not calibrated.
        folder: Directory of the files; made if it is missing.
        epochs: ``metrics.csv`` of the training, if there was one.
        examples: Test images with their maps; the page shows them as `SampleImage`, a file those of a localizer.
        options: Formats and resolution of the files.
    """
    folder.mkdir(exist_ok=True)
    temperature = results["calibration"]["temperature"] if "calibration" in results else None
    scaled = calibrated(test, temperature) if temperature else None
    plans: dict[str, dict[str, tuple[str, Callable[[], Figure]]]] = {
        "first screen": {"Confusion matrix (test)": ("confusion_matrix", lambda: plots.confusion_matrix(test))},
        "metrics": {
            "ROC curves (test)": ("roc", lambda: plots.roc_curves(test)),
            "Precision–recall curves (test)": ("pr", lambda: plots.pr_curves(test)),
        },
        "calibration": {
            "Reliability (test)": ("reliability", lambda: plots.reliability(test, scaled if temperature != 1 else None))
        },
    }
    if examples is not None and examples.marked is not None:
        plots.save_figure(examples_figure(examples), folder / "localization.png", options)
    if epochs is not None:
        plans["metrics"] |= {"Loss curves": ("loss_curves", lambda: plots.loss_curves(epochs))}
    if rates := results.get("tuning", {}).get("lr"):
        plans["metrics"] |= {"Learning-rate finder": ("learning_rates", lambda: plots.learning_rate_curve(rates))}
    if curve := results.get("decision_curve"):
        plans["decisions"] = {"Decision curve (test)": ("decision_curve", lambda: plots.decision_curve(curve))}
    if scaled and (abstention := results.get("abstention")):
        plans["abstention"] = {
            "Risk–coverage curve (test)": (
                "risk_coverage",
                lambda: plots.risk_coverage_curve(scaled, abstention["below"]),
            )
        }
    if subgroups := results.get("subgroups"):
        plans["subgroups"] = {"Accuracy per subgroup (test)": ("subgroups", lambda: plots.subgroup_accuracy(subgroups))}
    return {
        section: {
            caption: _saved(make(), folder / f"{name}.png", caption, options) for caption, (name, make) in plan.items()
        }
        for section, plan in plans.items()
    }


def _saved(figure: Figure, path: Path, caption: str, options: plots.FigureFormats) -> InlineFigure:
    plots.save_figure(figure, path, options)
    return inline_figure(figure, caption)
