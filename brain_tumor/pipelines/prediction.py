"""Classify the images of a file or folder with a bundle."""

import logging
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig
from rich import get_console

from brain_tumor.data.readers.volumes import Slicing
from brain_tumor.data.samples import write_table
from brain_tumor.errors import DataError
from brain_tumor.serving.console import predictions_summary, rejection_warning
from brain_tumor.serving.files import find_images, predict_table
from brain_tumor.serving.predictor import Predictor

log = logging.getLogger(__name__)


def predict(cfg: DictConfig) -> pd.DataFrame:
    """Predict what a composed configuration names; returns the predictions table.

    Raises:
        DataError: None of the images can be read.
    """
    predictor = Predictor.load(cfg.bundle, cfg.engine, cfg.precision, cfg.threads, cfg.plugins)
    samples = find_images(cfg.input, Slicing.parse(cfg.data.slices, cfg.data.plane, cfg.paths.cache_dir))
    table, faults = predict_table(predictor, samples, cfg.batch_size)
    for fault in faults:
        log.warning("Left out: %s", fault)
    if table.empty:
        raise DataError(f"None of the {len(samples)} images can be read, first: {faults[0]}")
    output = Path(cfg.output or Path(cfg.paths.run_dir) / "predictions.csv").expanduser()
    output.parent.mkdir(parents=True, exist_ok=True)
    write_table(table, output)
    console = get_console()
    console.print(predictions_summary(table, predictor.bundle))
    if warning := rejection_warning(table):
        console.print(f"Note: {warning}", style="yellow", highlight=False, markup=False)
    console.print(f"Predictions: {output}", soft_wrap=True, highlight=False, markup=False)
    return table
