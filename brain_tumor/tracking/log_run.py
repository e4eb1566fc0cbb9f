"""What a run tells its experiment loggers, beside the curves that Lightning hands them."""

from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.evaluation.evidence import flat_metrics
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.models.classifier import Classifier
from brain_tumor.tracking.wandb import artifacts, panels
from brain_tumor.tracking.wandb.logger import DashboardLogger
from brain_tumor.tracking.wandb.naming import as_tag, short_data_name

_DATA = (
    "digest", "classes", "found", "readable", "distinct", "train", "val", "test", "left_out", "groups", "split",
    "leakage", "source", "version", "licence",
)  # fmt: skip
"""Facts of the data that say nothing of this machine."""


def describe(loggers: list[Logger], facts: dict[str, Any], samples: pd.DataFrame, cfg: DictConfig) -> None:
    """Say what is trained on, before training: facts, tags for the split and its leaks, and the split itself.

    Args:
        loggers: Of the run.
        facts: Of the run's record.
        samples: The samples table.
        cfg: The whole configuration.
    """
    data = {name: facts["data"][name] for name in _DATA if name in facts["data"]}
    about = {"data": data, **{name: facts[name] for name in ("git_sha", "versions", "hardware")}}
    tags = [as_tag(data["split"]), *(["leaky"] if any(data["leakage"].values()) else [])]
    for logger in _live(loggers):
        with logger.attempt():
            logger.experiment.config.update({"facts": about}, allow_val_change=True)
            logger.experiment.tags = tuple(dict.fromkeys([*(logger.experiment.tags or ()), *tags]))
            artifacts.use_split(logger.experiment, samples, data, short_data_name(cfg))


def publish(
    loggers: list[Logger],
    run_dir: Path,
    facts: dict[str, Any],
    results: dict[str, Any],
    test: pd.DataFrame,
    datamodule: ScanDataModule,
    classifier: Classifier,
) -> None:
    """Say what came out: final metrics to every logger; to wandb also figures, charts, errors and the model.

    Args:
        loggers: Of the run.
        run_dir: The run directory, with its figures.
        facts: Of the run's record.
        results: The content of ``results.json``.
        test: The predictions table of the test.
        datamodule: Loaded.
        classifier: With the best weights.
    """
    final = flat_metrics(results)
    for logger in loggers:
        if not isinstance(logger, DashboardLogger):
            logger.log_metrics(final)
    predictions = Predictions.from_frame(test)
    for logger in _live(loggers):
        run = logger.experiment
        with logger.attempt():
            run.summary.update(final)
        with logger.attempt():
            run.log(panels.figures(run_dir / "figures"))
        with logger.attempt():
            run.log(panels.charts(predictions))
        with logger.attempt():
            run.log({"test/errors": panels.errors_table(predictions, datamodule, classifier, images=logger.images)})
        if logger.log_model:
            with logger.attempt():
                artifacts.log_model(run, run_dir, _model_card(facts, final))


def _live(loggers: list[Logger]) -> list[DashboardLogger]:
    """Those with a run in this process: none on ranks above 0, none where wandb is disabled."""
    return [logger for logger in loggers if isinstance(logger, DashboardLogger) and logger.version is not None]


def _model_card(facts: dict[str, Any], final: dict[str, float]) -> dict[str, Any]:
    return {
        "monitor": facts["training"]["monitor"],
        "best": facts["training"]["best"],
        "test_f1_macro": final.get("final/test/f1_macro"),
        "data_digest": facts["data"]["digest"],
        "split": facts["data"]["split"],
        "leakage": facts["data"]["leakage"],
        "classes": facts["data"]["classes"],
        "model": facts["model"],
    }
