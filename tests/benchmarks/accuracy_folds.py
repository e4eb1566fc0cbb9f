"""What each fold of a row has reached: kept as tables of predictions, from which all figures of the row are computed.

``folds.csv`` has a row for each trained fold. ``<data>-<model>.csv.gz`` has a row for each test image of all folds:
``sample_id, label, p_<class>…`` (calibrated by the temperature of its fold), ``group, fold``, ``called_tumour`` (at the
threshold that the validation images of its fold chose), and where its mask is known the columns of
`brain_tumor.evaluation.localization` and ``hirescam_hit``, the same as ``map_hit`` for HiResCAM.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.masks import read_masks
from brain_tumor.data.samples import read_table
from brain_tumor.evaluation.calibration import calibrated
from brain_tumor.evaluation.decisions.operating_points import SENSITIVE
from brain_tumor.evaluation.evidence import decision_rules_in
from brain_tumor.evaluation.explain.pointing_game import evaluate_pointing
from brain_tumor.evaluation.explain.saliency import saliency_maps
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates, evaluate
from brain_tumor.evaluation.predictions import Predictions, by_patient, read_predictions
from brain_tumor.serving.engines.eager import network_of
from brain_tumor.serving.files import read_images
from brain_tumor.serving.packing import bundle_of
from brain_tumor.types import Floats

DIGITS = 5
"""Decimals of kept numbers."""
FOLDS = "folds.csv"
"""Name of the table of trained folds."""


def keep(folder: Path, name: str, fold: int, run: Path, members: list[Path]) -> None:
    """Add what a finished run has reached, in place of an earlier record of the same fold.

    Args:
        folder: Folder of the kept tables.
        name: Name of the row, ``data/model``.
        fold: Number of the test fold.
        run: Directory of the run, or of the ensemble.
        members: Directories of the trainings behind it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = json.loads((run / "results.json").read_text())
    facts = [json.loads((member / "run.json").read_text()) for member in members]
    baseline = json.loads((members[0] / "results.json").read_text())["baseline"]["test"]
    rules = decision_rules_in(results)
    record = {
        "name": name,
        "fold": fold,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": facts[0]["git_sha"],
        "parameters": sum(each["model"]["parameters"] for each in facts),
        "minutes": round(sum(sum(each["seconds"].values()) for each in facts) / 60, 1),
        "temperature": rules.temperature,
        "threshold": rules.operating_points.get(SENSITIVE),
        "images": results["n"]["test"]["images"],
        "nearest_accuracy": baseline["accuracy"],
        "nearest_f1_macro": baseline["f1_macro"],
    }
    _replace(folder / FOLDS, pd.DataFrame([record]), {"name": name, "fold": fold})
    table = _fold_table(run, fold, rules.temperature, record["threshold"], with_saliency=members == [run])
    _replace(folder / _file(name), table, {"fold": fold})


def folds(folder: Path) -> pd.DataFrame:
    """Read the table of trained folds; empty if there is none."""
    path = folder / FOLDS
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["name", "fold"])


def row_estimates(folder: Path, name: str, *, resamples: int = 2000) -> dict[str, Estimate]:
    """Estimate the metrics of a row over the test images of all its folds, with intervals by group.

    Returns:
        The metrics of `brain_tumor.evaluation.metrics.all_metrics` on calibrated probabilities; ``sensitivity`` and
        ``specificity`` of the kept decisions; ``recognised_dice``, the mean Dice of tumours whose class is predicted
        correctly; ``centre_hit`` and ``hirescam_hit``, shares of hits; and where groups are patients
        ``patients/accuracy`` and ``patients/f1_macro``.
    """
    table = pd.read_csv(folder / _file(name), dtype={"group": str})
    predictions = Predictions.from_frame(table)
    found = evaluate(predictions, resamples=resamples) | _shares(predictions, resamples)
    if name.startswith("cheng/") and (patients := by_patient(predictions)):
        per_patient = evaluate(patients.predictions, resamples=resamples)
        found |= {f"patients/{metric}": per_patient[metric] for metric in ("accuracy", "f1_macro")}
    return found


def _shares(predictions: Predictions, resamples: int) -> dict[str, Estimate]:
    """Estimate the means of columns of the table, each over the images for which it counts."""
    frame, values = predictions.frame, {}
    if "called_tumour" in frame and predictions.healthy is not None:
        tumour, called = predictions.labels != predictions.healthy, frame["called_tumour"].to_numpy(np.float64)
        values = {"sensitivity": np.where(tumour, called, np.nan), "specificity": np.where(tumour, np.nan, 1 - called)}
    if "map_dice" in frame:
        correct = predictions.predicted == predictions.labels
        values["recognised_dice"] = np.where(correct, frame["map_dice"].to_numpy(np.float64), np.nan)
    values |= {name: frame[name].to_numpy(np.float64) for name in ("centre_hit", "hirescam_hit") if name in frame}
    known = {name: np.isfinite(column) for name, column in values.items()}

    def means(weights: Floats) -> dict[str, Floats]:
        return {
            name: weights[:, known[name]] @ column[known[name]] / weights[:, known[name]].sum(axis=1)
            for name, column in values.items()
        }

    return estimates(means, predictions.groups, known, resamples=resamples) if values else {}


def _fold_table(
    run: Path, fold: int, temperature: float, threshold: float | None, *, with_saliency: bool
) -> pd.DataFrame:
    test = calibrated(read_predictions(run / "predictions" / "test.csv"), temperature)
    columns = [f"p_{name}" for name in test.classes]
    maps = [name for name in ("map_area", "map_hit", "map_dice", "map_iou", "centre_hit") if name in test.frame]
    table = test.frame[["sample_id", "label", "group", *maps]].assign(fold=fold)
    table[columns] = test.probabilities
    if threshold is not None and test.detection is not None:
        table["called_tumour"] = (test.detection >= threshold).astype(int)
    if with_saliency and "map_hit" in maps:
        table["hirescam_hit"] = _hirescam_hits(run, test)
    return table


def _hirescam_hits(run: Path, test: Predictions) -> npt.NDArray[np.float64]:
    """Play the pointing game with HiResCAM of the predicted class on each test image whose mask shows a tumour.

    Returns:
        float64 [N], 1 for a hit, 0 for a miss, NaN for other images.
    """
    bundle = bundle_of(run)
    model = network_of(bundle)
    rows = np.flatnonzero(test.frame["map_hit"].notna())
    samples = read_table(run / "samples.csv").set_index("sample_id", drop=False).loc[test.frame["sample_id"].iloc[rows]]
    images = read_images(samples["path"].tolist(), bundle.image_size, "Reading images for HiResCAM")
    _, masks = read_masks(samples.reset_index(drop=True), bundle.image_size)
    maps = saliency_maps(model.network, model.normalize, images, test.predicted[rows])
    hits = np.full(len(test.labels), np.nan)
    for row, one in zip(rows, range(len(rows)), strict=True):
        inputs = (each[one : one + 1] for each in (maps, masks, images))
        hits[row] = evaluate_pointing(*inputs, np.zeros(1, np.int64), resamples=1)["pointing"]["value"]
    return hits


def _replace(path: Path, rows: pd.DataFrame, key: dict[str, Any]) -> None:
    """Write rows into a table, in place of those with the same key."""
    if path.is_file():
        table = pd.read_csv(path, dtype={"group": str})
        same = np.logical_and.reduce([table[name] == value for name, value in key.items()])
        rows = pd.concat([table[~same], rows]).sort_values(list(key), kind="stable")
    compression = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    rows.to_csv(path, index=False, float_format=f"%.{DIGITS}g", compression=compression)


def _file(name: str) -> str:
    return f"{name.replace('/', '-')}.csv.gz"
