"""A run's gate against foreign images: fitted on val, asked about test, kept beside the predictions."""

from pathlib import Path

import pandas as pd

from brain_tumor.data.samples import write_table
from brain_tumor.errors import DataError
from brain_tumor.evaluation.ood.fit import Fitted, fit_gate
from brain_tumor.evaluation.predictions import Predictions, with_foreignness
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle import GATE
from brain_tumor.training.predict import Predicted


def gate_of(
    predicted: dict[str, Predicted], run_dir: Path, turned_away: float, seed: int
) -> tuple[Fitted | None, list[str]]:
    """Fit the gate on val and write ``gate.safetensors``.

    Returns:
        The gate, and notes for readers: where val is too small there is none, and a note says why.
    """
    val = predicted["val"]
    groups = Predictions.from_frame(val.table).groups
    try:
        fitted = fit_gate(val.features, val.logits, groups, turned_away=turned_away, seed=seed)
    except DataError as error:
        return None, [f"There is no gate against foreign images: {error}"]
    with published_file(run_dir / GATE) as draft:
        draft.write_bytes(fitted.gate.to_bytes())
    return fitted, []


def write_predictions(predicted: dict[str, Predicted], fitted: Fitted | None, folder: Path) -> dict[str, pd.DataFrame]:
    """Write ``<folder>/<split>.csv`` with what the gate says of each image, and return these tables.

    Of val it says what a gate says that was fitted without the image's group, as of any other scan.
    """
    folder.mkdir(exist_ok=True)
    tables = {}
    for split, found in predicted.items():
        scores = None
        if fitted:
            own = split == "val"
            scores = fitted.foreignness if own else fitted.gate.foreignness(found.features, found.logits)
        tables[split] = with_foreignness(found.table, scores)
        write_table(tables[split], folder / f"{split}.csv")
    return tables
