"""What a finished run shows in wandb besides its curves: figures, interactive charts, and the table of errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.evaluation.explain.gallery import most_confident_errors
from brain_tumor.evaluation.explain.overlay import overlay
from brain_tumor.evaluation.explain.saliency import localizer_maps, saliency_maps
from brain_tumor.evaluation.metrics.curves import points_table, pr_points, reliability_points, roc_points
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.models.classifier import Classifier
from brain_tumor.models.protocol import Localizer

_CURVES_PRESET = "wandb/area-under-curve/v0"
_COLUMNS = ["sample_id", "class", "prediction", "probability", "group"]


def figures(folder: Path) -> dict[str, Any]:
    """Return the figures of the run, none of which shows an image of a patient."""
    import wandb

    return {f"figures/{path.stem}": wandb.Image(str(path)) for path in sorted(folder.glob("*.png"))}


def charts(test: Predictions) -> dict[str, Any]:
    """Make wandb's interactive charts of the test split: confusion matrix, ROC, precision–recall and reliability.

    Of wandb's own functions only that of the confusion matrix is used: those of the ROC and PR curves assign wrong
    names if a class has no images, and smooth precision upwards.
    """
    import wandb

    matrix = wandb.plot.confusion_matrix(
        y_true=test.labels.tolist(),
        preds=test.predicted.tolist(),
        class_names=list(test.classes),
        title="Confusion matrix (test)",
    )
    calibration = wandb.Table(dataframe=reliability_points(test))
    return {
        "test/confusion_matrix": matrix,
        "test/roc": _curves(test, roc_points, "ROC (test)", "1 − specificity", "Sensitivity"),
        "test/pr": _curves(test, pr_points, "Precision–recall (test)", "Sensitivity (recall)", "Precision"),
        "test/reliability": wandb.plot.line(calibration, "confidence", "accuracy", title="Reliability (test)"),
    }


def _curves(test: Predictions, points: Callable[..., Any], title: str, x_title: str, y_title: str) -> Any:
    import wandb

    return wandb.plot_table(
        vega_spec_name=_CURVES_PRESET,
        data_table=wandb.Table(dataframe=points_table(test, points)),
        fields={"x": "x", "y": "y", "class": "class"},
        string_fields={"title": title, "x-axis-title": x_title, "y-axis-title": y_title},
    )


def errors_table(test: Predictions, datamodule: ScanDataModule, classifier: Classifier, *, images: bool) -> Any:
    """Make a wandb table of the most confident wrong predictions of the test split.

    It holds no names of files or patients; ``sample_id`` is as in the samples table.

    Args:
        test: Predictions of the test split.
        datamodule: Data module, loaded.
        classifier: Classifier that made the predictions.
        images: Whether to add the image of each prediction, and the localizer's map of it or a saliency map.
    """
    import wandb

    wrong = most_confident_errors(test)
    rows = wrong.to_numpy(dtype=object).tolist()
    if not images or wrong.empty:
        return wandb.Table(columns=_COLUMNS, data=rows)
    sample_ids = datamodule.samples["sample_id"].tolist()
    grey = datamodule.images[[sample_ids.index(sample_id) for sample_id in wrong["sample_id"]]]
    predicted = np.array([test.classes.index(name) for name in wrong["prediction"]], np.int64)
    network, normalize = classifier.network, datamodule.normalize
    has_map = isinstance(network, Localizer) and datamodule.masks is not None
    heats = localizer_maps(network, normalize, grey) if has_map else saliency_maps(network, normalize, grey, predicted)
    rows_with_images = [
        [*row, wandb.Image(image), wandb.Image(overlay(image, heat))]
        for row, image, heat in zip(rows, grey, heats, strict=True)
    ]
    return wandb.Table(columns=[*_COLUMNS, "image", "map" if has_map else "saliency"], data=rows_with_images)
