"""The OOD detector of a run: fitted on validation, applied to test."""

from pathlib import Path

import pandas as pd

from brain_tumor.errors import DataError
from brain_tumor.evaluation.ood.fit import FittedDetector, fit_ood_detector
from brain_tumor.evaluation.predictions import Predictions, with_ood_scores
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle import OOD_DETECTOR
from brain_tumor.training.predict import Predicted


def add_ood_scores(
    predicted: dict[str, Predicted], run_dir: Path, reject_share: float, seed: int
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Fit the detector on val, write ``ood_detector.safetensors``, and add its scores to the predictions tables.

    The score of a val image comes from a detector that was fitted without the image's group, so that val and test
    scores can be compared.

    Returns:
        Split → predictions table, and notes for readers: if val is too small for a detector, a note says so.
    """
    fitted, notes = _fit(predicted["val"], run_dir, reject_share, seed)
    tables = {}
    for split, outputs in predicted.items():
        scores = None
        if fitted:
            in_val = split == "val"
            scores = fitted.ood_score if in_val else fitted.detector.ood_score(outputs.features, outputs.logits)
        tables[split] = with_ood_scores(outputs.table, scores)
    return tables, notes


def _fit(val: Predicted, run_dir: Path, reject_share: float, seed: int) -> tuple[FittedDetector | None, list[str]]:
    groups = Predictions.from_frame(val.table).groups
    try:
        fitted = fit_ood_detector(val.features, val.logits, groups, reject_share=reject_share, seed=seed)
    except DataError as error:
        return None, [f"There is no OOD detector: {error}"]
    with published_file(run_dir / OOD_DETECTOR) as draft:
        draft.write_bytes(fitted.detector.to_bytes())
    return fitted, []
