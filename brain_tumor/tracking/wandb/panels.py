"""What the dashboard of a finished run shows beside its curves: figures, charts, and the table of errors."""

from pathlib import Path
from typing import Any

import numpy as np

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.evaluation.explain.gallery import surest_mistakes
from brain_tumor.evaluation.explain.saliency import heat_maps, overlay
from brain_tumor.evaluation.metrics.curves import points_table, pr_points, reliability_points, roc_points
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.models.classifier import Classifier

_CURVES = "wandb/area-under-curve/v0"
_COLUMNS = ["sample_id", "class", "prediction", "probability", "group"]


def figures(folder: Path) -> dict[str, Any]:
    """The run's own figures, which hold nobody's image."""
    import wandb

    return {f"figures/{path.stem}": wandb.Image(str(path)) for path in sorted(folder.glob("*.png"))}


def charts(test: Predictions) -> dict[str, Any]:
    """wandb's interactive charts of the test.

    Of wandb's own makers only that of the confusion matrix is used: those of ROC and PR curves shift classes where one
    has no images, and smooth precision upwards.
    """
    import wandb

    found = test.predicted.tolist()
    matrix = wandb.plot.confusion_matrix(
        y_true=test.labels.tolist(), preds=found, class_names=list(test.classes), title="Confusion matrix (test)"
    )
    calibration = wandb.Table(dataframe=reliability_points(test))
    return {
        "test/confusion_matrix": matrix,
        "test/roc": _curves(test, roc_points, "ROC (test)", "1 − specificity", "Sensitivity"),
        "test/pr": _curves(test, pr_points, "Precision–recall (test)", "Sensitivity (recall)", "Precision"),
        "test/reliability": wandb.plot.line(calibration, "confidence", "accuracy", title="Reliability (test)"),
    }


def _curves(test: Predictions, points: Any, title: str, x: str, y: str) -> Any:
    import wandb

    return wandb.plot_table(
        vega_spec_name=_CURVES,
        data_table=wandb.Table(dataframe=points_table(test, points)),
        fields={"x": "x", "y": "y", "class": "class"},
        string_fields={"title": title, "x-axis-title": x, "y-axis-title": y},
    )


def errors_table(test: Predictions, datamodule: ScanDataModule, classifier: Classifier, *, images: bool) -> Any:
    """The surest wrong predictions of the test; with ``images``, each as it went in and with what the network saw.

    Names of files and patients stay out; a ``sample_id`` is what the data's own table says.
    """
    import wandb

    wrong = surest_mistakes(test)
    rows = wrong.to_numpy(dtype=object).tolist()
    if not images or wrong.empty:
        return wandb.Table(columns=_COLUMNS, data=rows)
    places = datamodule.samples["sample_id"].tolist()
    grey = datamodule.images[[places.index(name) for name in wrong["sample_id"]]]
    found = np.array([test.classes.index(name) for name in wrong["prediction"]], np.int64)
    heats = heat_maps(classifier.network, datamodule.normalize, grey, found)
    shown = [
        [*row, wandb.Image(image), wandb.Image(overlay(image, heat))]
        for row, image, heat in zip(rows, grey, heats, strict=True)
    ]
    return wandb.Table(columns=[*_COLUMNS, "image", "saliency"], data=shown)
