"""``brain-tumor predict``: a frozen model on an image, a scan, or a folder of them.

From Python::

    from brain_tumor.predict import predict

    predict(["bundle=runs/first", "input=scans"])  # the predictions table
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from brain_tumor.cli.app import run_app
from brain_tumor.config.compose import compose

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def predict(overrides: Sequence[str] = (), run_dir: str | Path = "runs/predict") -> "pd.DataFrame":
    """Predict as ``brain-tumor predict`` does.

    Args:
        overrides: As on the command line: ``["bundle=RUN", "input=FOLDER"]``.
        run_dir: Where ``predictions.csv`` goes, unless ``output`` says otherwise.

    Returns:
        The predictions table, see `brain_tumor.evaluation.predictions`, with the columns of
        `brain_tumor.evaluation.predictions`; its labels are empty.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    return run(compose(overrides, run_dir, "predict"))


def run(cfg: DictConfig) -> "pd.DataFrame":
    """Predict what a composed configuration says."""
    from rich import get_console

    from brain_tumor.data.readers.volumes import Slicing
    from brain_tumor.data.samples import write_table
    from brain_tumor.errors import DataError
    from brain_tumor.serving.files import find_images, predict_table
    from brain_tumor.serving.predictor import Predictor
    from brain_tumor.serving.summary import predictions_summary, rejection_warning

    predictor = Predictor.load(cfg.bundle, cfg.engine, cfg.precision, cfg.threads)
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


def main() -> None:
    """The verb."""
    run_app("predict", _task)


def _task(cfg: DictConfig) -> None:
    run(cfg)


if __name__ == "__main__":
    main()
