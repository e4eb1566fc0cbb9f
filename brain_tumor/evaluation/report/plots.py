"""Plots of predictions, decisions and training; series differ in line style as well as in colour."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics import confusion_matrix as count_pairs

from brain_tumor.evaluation.decisions.abstention import risk_coverage
from brain_tumor.evaluation.metrics.curves import (
    ANY_TUMOUR,
    OneVsRest,
    one_vs_rest,
    pr_points,
    reliability_points,
    roc_points,
)
from brain_tumor.evaluation.metrics.probability import ece
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.report.format import format_number, format_share
from brain_tumor.evaluation.report.inline_figures import ON_COLOUR
from brain_tumor.evaluation.report.names import in_sentence, short_name
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.types import Flags, Floats

# Okabe & Ito (2008): colours that are distinguishable in every kind of colour vision; black is kept for detection.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
STYLES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1)))

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it lists all parts of the fonts that a PDF file embeds


def confusion_matrix(predictions: Predictions) -> Figure:
    """Plot the counts of each true and predicted class, shaded by the share of the true class."""
    classes = predictions.classes
    counts = count_pairs(predictions.labels, predictions.predicted, labels=range(len(classes)))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = canvas("Confusion matrix", height=4.6)
    for row, column in np.ndindex(counts.shape):
        deep = share[row, column] > 0.85
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=to_rgba(COLOURS[0], share[row, column])))
        text = f"{counts[row, column]}\n{format_share(share[row, column])}"
        axes.text(column, row, text, ha="center", va="center", color=ON_COLOUR if deep else "black", fontsize=10)
    axes.set_xlim(-0.5, len(classes) - 0.5)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(len(classes)), classes, rotation=25, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True")
    return figure


def roc_curves(predictions: Predictions) -> Figure:
    """Plot sensitivity over 1 − specificity, for each class against the rest and for detection."""
    figure, axes = canvas("ROC curves")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    _draw_curves(axes, predictions, roc_points, "AUROC", roc_auc_score)
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("Sensitivity")
    axes.legend(loc="lower right", fontsize=9)
    return figure


def pr_curves(predictions: Predictions) -> Figure:
    """Plot precision over sensitivity, for each class against the rest and for detection."""
    figure, axes = canvas("Precision–recall curves")
    _draw_curves(axes, predictions, pr_points, "AP", average_precision_score)
    axes.set_xlabel("Sensitivity (recall)")
    axes.set_ylabel("PPV (precision)")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(loc="lower left", fontsize=9)
    return figure


def reliability(predictions: Predictions, calibrated: Predictions | None = None) -> Figure:
    """Plot accuracy over confidence of the predicted class; perfect calibration is the diagonal.

    The area of a point is the share of images in its bin (the bins of the ECE, Guo 2017); the number beside it is the
    number of these images.

    Args:
        predictions: Predictions as trained.
        calibrated: The same predictions with temperature scaling.
    """
    figure, axes = canvas("Reliability of the predicted class")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="perfect calibration")
    tables = {"as trained": predictions} | ({"calibrated": calibrated} if calibrated else {})
    for (name, table), colour, style in zip(tables.items(), COLOURS, STYLES, strict=False):
        points = reliability_points(table)
        error = float(ece(table.labels, table.probabilities, np.ones((1, len(table.labels))))[0])
        label = f"{name}: ECE {format_number(error)}"
        axes.plot(points["confidence"], points["accuracy"], style, color=colour, label=label)
        share = points["images"] / points["images"].sum()
        axes.scatter(points["confidence"], points["accuracy"], 20 + 400 * share, color=colour, alpha=0.6)
    for row in reliability_points(predictions).itertuples():
        point = (row.confidence, row.accuracy)
        axes.annotate(f"{row.images}", point, (0, -14), textcoords="offset points", fontsize=7, ha="center")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.08, 1.04)
    axes.set_xlabel("Confidence (mean probability of the predicted class)")
    axes.set_ylabel("Accuracy")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=9)
    return figure


def learning_rate_curve(found: dict[str, Any]) -> Figure:
    """Plot the loss over the learning rates that were tried, with the chosen one marked.

    Args:
        found: ``tuning["lr"]`` of ``results.json``.
    """
    figure, axes = canvas("Learning-rate finder")
    rates, losses = found["curve"]["lr"], found["curve"]["loss"]
    axes.plot(rates, losses, color=COLOURS[0])
    if found["value"] is not None:
        axes.axvline(found["value"], color=COLOURS[1], linestyle="--", label=f"chosen: {found['value']:.2g}")
        axes.legend(fontsize=9)
    axes.set_xscale("log")
    axes.set_xlabel("Learning rate")
    axes.set_ylabel("Training loss, smoothed")
    axes.grid(alpha=0.3)
    return figure


def loss_curves(epochs: pd.DataFrame) -> Figure:
    """Plot losses and validation scores over epochs, with the best epoch by macro-F1 marked.

    Args:
        epochs: ``metrics.csv``: ``epoch, train/loss, val/loss, val/f1_macro, …``.
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    panels = {
        left: {"train/loss": "training (as trained)", "val/loss": "validation (cross-entropy)"},
        right: {f"val/{name}": in_sentence(short_name(name)) for name in ("f1_macro", "balanced_accuracy", "auroc")},
    }
    for axes, series in panels.items():
        for (column, label), colour, style in zip(series.items(), COLOURS, STYLES, strict=False):
            if column in epochs:
                known = epochs[["epoch", column]].dropna()  # validation may come every few epochs
                axes.plot(known["epoch"] + 1, known[column], label=label, color=colour, linestyle=style, marker=".")
        axes.set_xlabel("Epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    best = int(epochs["val/f1_macro"].argmax())
    score = format_number(epochs["val/f1_macro"].iloc[best])
    right.axvline(epochs["epoch"].iloc[best] + 1, color="0.4", linewidth=1, linestyle=":")
    right.set_title(f"Validation: best macro-F1 {score} in epoch {epochs['epoch'].iloc[best] + 1}", fontsize=10)
    left.set_title("Loss", fontsize=10)
    for axes in panels:
        axes.legend(fontsize=9)
    return figure


@dataclass(frozen=True)
class FigureFormats:
    """Files that each figure is saved as."""

    formats: Sequence[str] = ("png",)
    """``pdf`` and ``svg`` are written beside ``png``, which pages embed and which is always written."""
    dpi: int = 130
    """Dots per inch of PNG files, and of images within the other files."""


PNG = FigureFormats()
_WITHOUT_DATE = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Format → metadata: the same figure gives the same bytes."""


def save_figure(figure: Figure, path: Path, options: FigureFormats = PNG) -> None:
    """Write a figure, each of its files in one step; text stays text: TrueType in PDF, characters in SVG.

    Args:
        figure: Figure.
        path: PNG file; files of other formats get its name with their own suffix.
        options: Formats and resolution.

    Raises:
        OSError: The folder cannot be written.
    """
    with mpl.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": path.stem}):
        for name in dict.fromkeys(["png", *options.formats]):
            with published_file(path.with_suffix(f".{name}")) as draft:
                figure.savefig(draft, format=name, dpi=options.dpi, metadata=_WITHOUT_DATE[name])


def canvas(title: str, height: float = 4.0) -> tuple[Figure, Axes]:
    """Make a figure with one plot.

    Args:
        title: Title of the plot.
        height: Height of the figure in inches.
    """
    figure = Figure(figsize=(4.8, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=11)
    return figure, axes


def _draw_curves(
    axes: Axes,
    predictions: Predictions,
    points: Callable[[OneVsRest], tuple[Floats, Floats]],
    name: str,
    area: Callable[[Flags, Floats], float],
) -> None:
    """Draw one curve per class that has both positives and negatives, and one for detection."""
    for side, colour, style in zip(one_vs_rest(predictions), cycle(COLOURS), cycle(STYLES), strict=False):
        if side.drawable:
            colour, style = ("black", "-") if side.name == ANY_TUMOUR else (colour, style)
            label = f"{side.name}: {name} {format_number(area(side.positive, side.score))}"
            axes.plot(*points(side), label=label, color=colour, linestyle=style, linewidth=1.8)
    axes.grid(alpha=0.3)


def decision_curve(document: dict[str, Any]) -> Figure:
    """Plot the net benefit of treating by the model, with its interval, beside treating all and treating none.

    Args:
        document: ``decision_curve`` of ``results.json``.
    """
    points, prevalence = pd.DataFrame(document["points"]).astype(float), document["prevalence"]
    figure, axes = canvas(f"Decision curve of detection, prevalence {format_share(prevalence)}")
    axes.axhline(0, color="black", linewidth=1, label="treat none")
    axes.plot(points["threshold"], points["treat_all"], color=COLOURS[1], linestyle="--", label="treat all")
    axes.fill_between(points["threshold"], points["ci_low"], points["ci_high"], color=COLOURS[0], alpha=0.2, lw=0)
    axes.plot(points["threshold"], points["model"], color=COLOURS[0], label="treat by the model (band: 95 %)")
    lowest = min(0.0, float(points["ci_low"].min())) if points["ci_low"].notna().any() else 0.0
    axes.set_ylim(max(lowest, -prevalence / 2) - prevalence * 0.05, prevalence * 1.1)
    axes.set_xlim(0, 1)
    axes.set_xlabel("Threshold probability of a tumour")
    axes.set_ylabel("Net benefit per image")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", fontsize=9)
    return figure


def risk_coverage_curve(predictions: Predictions, below: float) -> Figure:
    """Plot the error rate of the most confident images over their share, with the coverage of the abstaining model.

    Args:
        predictions: Calibrated predictions.
        below: Confidence below which the model abstains.
    """
    curve = risk_coverage(predictions)
    figure, axes = canvas("Risk–coverage curve")
    axes.plot(curve["coverage"], curve["risk"], color=COLOURS[0], label="error rate of the answered images")
    coverage = float((predictions.probabilities.max(axis=1) >= below).mean())
    label = f"abstains below {format_number(below, 2)}: answers {format_share(coverage)}"
    axes.axvline(coverage, color=COLOURS[1], linestyle="--", label=label)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Coverage (share of images answered, most confident first)")
    axes.set_ylabel("Risk (error rate)")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=9)
    return figure


def subgroup_accuracy(subgroups: list[dict[str, Any]]) -> Figure:
    """Plot the accuracy of each subgroup with its interval.

    Args:
        subgroups: ``subgroups`` of ``results.json``.
    """
    figure = Figure(figsize=(6.4, 1.2 + 0.32 * len(subgroups)), layout="constrained")
    axes = figure.subplots()
    axes.set_title("Accuracy per subgroup (test)", fontsize=11)
    for row, subgroup in enumerate(subgroups):
        estimate, colour = subgroup["accuracy"], COLOURS[1] if subgroup["worst"] else COLOURS[0]
        axes.plot([estimate["ci_low"], estimate["ci_high"]], [row, row], color=colour, linewidth=2)
        axes.plot(estimate["value"], row, "D" if subgroup["worst"] else "o", color=colour, markersize=6)
    names = [f"{subgroup['attribute']}: {subgroup['value']} (n = {subgroup['images']})" for subgroup in subgroups]
    axes.set_yticks(range(len(subgroups)), names)
    axes.invert_yaxis()
    axes.set_xlabel("Accuracy, 95 % interval (diamond: worst of its attribute)")
    axes.grid(alpha=0.3, axis="x")
    return figure
