"""Classify the images of a file or folder with a bundle."""

import logging
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.listing import account, describe_counts, file_counts
from brain_tumor.data.readers.volumes import ScanRules
from brain_tumor.data.samples import write_table
from brain_tumor.errors import DataError, require
from brain_tumor.evaluation.report.console import show
from brain_tumor.evaluation.volumes import by_volume
from brain_tumor.serving.console import ood_statement, predictions_summary, rejection_warning, volumes_summary
from brain_tumor.serving.files import find_images, predict_images
from brain_tumor.serving.predictor import Predictor

log = logging.getLogger(__name__)
_DIGITS = 6
"""Decimals of probabilities and OOD scores in the table."""


def predict(cfg: DictConfig) -> pd.DataFrame:
    """Predict what a composed configuration names; returns the predictions table.

    Raises:
        ConfigError: ``output`` names another format than CSV.
        DataError: None of the images can be read.
    """
    if cfg.output:
        require(str(cfg.output).lower().endswith(".csv"), f"output={cfg.output}", "a name that ends in .csv")
    predictor = Predictor.load(cfg.bundle, cfg.engine, cfg.precision, cfg.threads, cfg.plugins)
    data = cfg.data
    rules = ScanRules.parse(
        data.slices, data.plane, cfg.paths.cache_dir, list(data.modalities), data.derived, data.patient
    )
    found = find_images(cfg.input, rules)
    samples = found.listing.samples
    predicted = predict_images(predictor, samples, cfg.batch_size)
    table, faults = predicted.table, list(predicted.errors.values())
    for fault in faults:
        log.warning("Left out: %s", fault)
    if table.empty:
        raise DataError(f"None of the {len(samples)} images can be read, first: {faults[0]}")
    unreadable = sorted(set(samples["path"]) - set(table["path"]))
    counts = file_counts(account(found.place, found.listing, unreadable))
    volumes = by_volume(table, predictor.bundle.classes, predictor.bundle.volume_rule)
    output = Path(cfg.output or Path(cfg.paths.run_dir) / "predictions.csv").expanduser()
    output.parent.mkdir(parents=True, exist_ok=True)
    write_table(table.round(_DIGITS), output)
    show(predictions_summary(table, predictor.bundle))
    notes = [describe_counts(counts)] if counts["left_out"] else []
    if len(volumes):
        write_table(volumes.round(_DIGITS), output.with_name(f"{output.stem}_volumes.csv"))
        notes.append(volumes_summary(volumes, found.slices, predictor.bundle))
    if statement := ood_statement(predictor.bundle):
        notes.append(statement)
    if warning := rejection_warning(table):
        notes.append(f"Note: {warning}")
    for note in notes:
        show(note, style="yellow" if note.startswith("Note") else None)
    show(f"Predictions: {output}", soft_wrap=True)
    return table
