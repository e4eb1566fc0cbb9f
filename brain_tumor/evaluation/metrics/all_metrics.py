"""All metrics of a predictions table, for many weightings of its images at once.

Every function takes weights float64 [B, N] (B resamples of N images) and returns [B], so that a point estimate (weights
of 1) and a bootstrap are the same computation. Undefined values are NaN. Definitions are those of scikit-learn, against
which the tests compare them.
"""

import numpy as np

from brain_tumor.evaluation.localization import localization_values
from brain_tumor.evaluation.metrics import confusion, probability
from brain_tumor.evaluation.metrics.confusion import PER_CLASS
from brain_tumor.evaluation.metrics.probability import ranking
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats


def metric_values(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    """Compute all metrics.

    Args:
        predictions: Predictions of N images and C classes.
        weights: Weights of the images float64 [B, N], at least 0.

    Returns:
        Name → float64 [B]:

        - ``f1_macro accuracy balanced_accuracy auroc auprc mcc kappa``, where ``auroc`` and ``auprc`` are means over
          the classes for which they are defined;
        - metrics of the probabilities: ``ece ece_mass ece_classwise brier nll``, and ``loss``, which equals ``nll``;
        - ``f1 sensitivity specificity ppv npv auroc auprc`` per class, as ``f1/<class>``;
        - with a healthy class, for tumour against healthy, ``auroc auprc sensitivity specificity ppv npv f1
          accuracy``, as ``detection/auroc``;
        - of a localizer, the metrics of `brain_tumor.evaluation.localization.localization_values`.
    """
    labels, p = predictions.labels, predictions.probabilities
    matrix = confusion.confusion(labels, p.argmax(axis=1), len(predictions.classes), weights)
    areas = [ranking(labels == c, p[:, c], weights) for c in range(p.shape[1])]
    roc, pr = (np.stack(kind, axis=1) for kind in zip(*areas, strict=True))
    nll = probability.nll(labels, p, weights)
    values = {
        "loss": nll,
        "f1_macro": confusion.f1_macro(matrix),
        "accuracy": confusion.accuracy(matrix),
        "balanced_accuracy": confusion.balanced_accuracy(matrix),
        "auroc": confusion.mean_where(roc, np.isfinite(roc)),
        "auprc": confusion.mean_where(pr, np.isfinite(pr)),
        "mcc": confusion.mcc(matrix),
        "kappa": confusion.kappa(matrix),
        "ece": probability.ece(labels, p, weights),
        "ece_mass": probability.ece_mass(labels, p, weights),
        "ece_classwise": probability.ece_classwise(labels, p, weights),
        "brier": probability.brier(labels, p, weights),
        "nll": nll,
    }
    per_class = {name: function(matrix) for name, function in PER_CLASS.items()} | {"auroc": roc, "auprc": pr}
    for name, by_class in per_class.items():
        values |= {f"{name}/{label}": by_class[:, c] for c, label in enumerate(predictions.classes)}
    return values | _detection(predictions, matrix, weights) | localization_values(predictions, weights)


def _detection(predictions: Predictions, matrix: Floats, weights: Floats) -> dict[str, Floats]:
    """Compute the metrics with tumour (any class but the healthy one) as the positive class."""
    healthy, score = predictions.healthy, predictions.detection
    if healthy is None or score is None:
        return {}
    binary, tumour = confusion.binary_confusion(matrix, healthy), predictions.labels != healthy
    roc, pr = ranking(tumour, score, weights)
    values = {name: function(binary)[:, 1] for name, function in PER_CLASS.items()}
    values |= {"accuracy": confusion.accuracy(binary), "auroc": roc, "auprc": pr}
    return {f"detection/{name}": value for name, value in values.items()}
