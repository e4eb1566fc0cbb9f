"""A run's OOD detector: fitted on val, asked about test, kept beside the predictions."""

from pathlib import Path

import pandas as pd

from brain_tumor.data.samples import write_table
from brain_tumor.errors import DataError
from brain_tumor.evaluation.ood.fit import FittedDetector, fit_ood_detector
from brain_tumor.evaluation.predictions import Predictions, with_ood_scores
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle import OOD_DETECTOR
from brain_tumor.training.predict import Predicted


def fit_run_detector(
    predicted: dict[str, Predicted], run_dir: Path, reject_share: float, seed: int
) -> tuple[FittedDetector | None, list[str]]:
    """Fit the detector on val and write ``ood_detector.safetensors``.

    Returns:
        The detector, and notes for readers: where val is too small there is none, and a note says why.
    """
    val = predicted["val"]
    groups = Predictions.from_frame(val.table).groups
    try:
        fitted = fit_ood_detector(val.features, val.logits, groups, reject_share=reject_share, seed=seed)
    except DataError as error:
        return None, [f"There is no OOD detector: {error}"]
    with published_file(run_dir / OOD_DETECTOR) as draft:
        draft.write_bytes(fitted.detector.to_bytes())
    return fitted, []


def write_predictions(
    predicted: dict[str, Predicted], fitted: FittedDetector | None, folder: Path
) -> dict[str, pd.DataFrame]:
    """Write ``<folder>/<split>.csv`` with what the detector says of each image, and return these tables.

    Of val it says what a detector says that was fitted without the image's group, as of any other scan.
    """
    folder.mkdir(exist_ok=True)
    tables = {}
    for split, found in predicted.items():
        scores = None
        if fitted:
            own = split == "val"
            scores = fitted.ood_score if own else fitted.detector.ood_score(found.features, found.logits)
        tables[split] = with_ood_scores(found.table, scores)
        write_table(tables[split], folder / f"{split}.csv")
    return tables
