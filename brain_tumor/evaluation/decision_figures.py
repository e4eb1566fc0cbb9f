"""Plots of what a model's probabilities are worth: decision curve, risk over coverage, and parts of the data."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from brain_tumor.evaluation.decisions.selective import risk_coverage
from brain_tumor.evaluation.figures import COLOURS, canvas
from brain_tumor.evaluation.predictions import Predictions


def decision_curve(document: dict[str, Any]) -> Figure:
    """Net benefit of acting on the model, with its interval, beside treating everyone and no one.

    Args:
        document: ``decision_curve`` of ``results.json``.
    """
    points, prevalence = pd.DataFrame(document["points"]).astype(float), document["prevalence"]
    figure, axes = canvas(f"Decision curve of detection, at {prevalence:.0%} with a tumour")
    axes.axhline(0, color="black", linewidth=1, label="act on no one")
    axes.plot(points["threshold"], points["treat_all"], color=COLOURS[1], linestyle="--", label="act on everyone")
    axes.fill_between(points["threshold"], points["ci_low"], points["ci_high"], color=COLOURS[0], alpha=0.2, lw=0)
    axes.plot(points["threshold"], points["model"], color=COLOURS[0], label="act on the model (band: 95 %)")
    lowest = min(0.0, float(points["ci_low"].min())) if points["ci_low"].notna().any() else 0.0
    axes.set_ylim(max(lowest, -prevalence / 2) - prevalence * 0.05, prevalence * 1.1)
    axes.set_xlim(0, 1)
    axes.set_xlabel("Probability of a tumour from which on one would act")
    axes.set_ylabel("Net benefit per image")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", fontsize=9)
    return figure


def risk_over_coverage(predictions: Predictions, below: float) -> Figure:
    """Share of wrong answers among the surest images, with the point where the model abstains.

    Args:
        predictions: Calibrated.
        below: The confidence below which it abstains.
    """
    curve = risk_coverage(predictions)
    figure, axes = canvas("Risk over coverage")
    axes.plot(curve["coverage"], curve["risk"], color=COLOURS[0], label="wrong among those answered")
    coverage = float((predictions.probabilities.max(axis=1) >= below).mean())
    axes.axvline(
        coverage, color=COLOURS[1], linestyle="--", label=f"abstains below {below:.2f}: answers {coverage:.0%}"
    )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Share of images answered, the surest first")
    axes.set_ylabel("Share that is wrong")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=9)
    return figure


def parts(found: list[dict[str, Any]]) -> Figure:
    """Accuracy of each part with its interval.

    Args:
        found: ``subgroups`` of ``results.json``.
    """
    figure = Figure(figsize=(6.4, 1.2 + 0.32 * len(found)), layout="constrained")
    axes = figure.subplots()
    axes.set_title("Accuracy by part of the test", fontsize=11)
    for row, part in enumerate(found):
        estimate, colour = part["accuracy"], COLOURS[1] if part["worst"] else COLOURS[0]
        axes.plot([estimate["ci_low"], estimate["ci_high"]], [row, row], color=colour, linewidth=2)
        axes.plot(estimate["value"], row, "D" if part["worst"] else "o", color=colour, markersize=6)
    names = [f"{part['attribute']}: {part['value']} (n = {part['images']})" for part in found]
    axes.set_yticks(range(len(found)), names)
    axes.invert_yaxis()
    axes.set_xlabel("Accuracy, 95 % interval (diamond: worst of its kind)")
    axes.grid(alpha=0.3, axis="x")
    return figure
