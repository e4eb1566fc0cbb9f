"""What a run logs besides Lightning's curves: facts and the split at its start, results and the model at its end."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.evaluation.evidence import flat_metrics
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.models.classifier import Classifier
from brain_tumor.tracking.wandb import panels
from brain_tumor.tracking.wandb.logger import SafeWandbLogger
from brain_tumor.tracking.wandb.naming import short_data_name, shorten_tag
from brain_tumor.tracking.wandb.workspace import chosen_options

_DATA_FACTS = (
    "digest", "classes", "found", "readable", "distinct", "train", "val", "test", "left_out", "groups", "split",
    "leakage", "source", "version", "licence",
)  # fmt: skip
"""Facts of the data that leave this machine: none of them holds a path."""

_PRIVATE_COLUMNS = ["path", "mask_path", "patient_id"]
"""Columns of the samples table that stay on this machine; ``split=file`` does not need them."""


def log_start(loggers: list[Logger], facts: dict[str, Any], samples: pd.DataFrame, cfg: DictConfig) -> None:
    """Log to wandb, before training: facts, chosen options, tags for split and leakage, and the split as an artifact.

    Args:
        loggers: Loggers of the run.
        facts: Content of ``run.json`` so far.
        samples: Samples table.
        cfg: Complete configuration.
    """
    data = {name: facts["data"][name] for name in _DATA_FACTS if name in facts["data"]}
    logged = {"data": data, **{name: facts[name] for name in ("git_sha", "versions", "hardware")}}
    tags = [shorten_tag(data["split"]), *(["leaky"] if any(data["leakage"].values()) else [])]
    for logger in _active_wandb_loggers(loggers):
        with logger.errors_as_warning():
            options = chosen_options([*OmegaConf.load(Path(cfg.paths.run_dir) / ".hydra" / "overrides.yaml")])
            logger.experiment.config.update({"facts": logged, "options": options}, allow_val_change=True)
            logger.experiment.tags = tuple(dict.fromkeys([*(logger.experiment.tags or ()), *tags]))
            _log_split(logger.experiment, samples, data, short_data_name(cfg))


def log_results(
    loggers: list[Logger],
    run_dir: Path,
    facts: dict[str, Any],
    results: dict[str, Any],
    test: pd.DataFrame,
    datamodule: ScanDataModule,
    classifier: Classifier,
) -> None:
    """Log the final metrics to every logger, and to wandb also figures, charts, the table of errors and the model.

    Args:
        loggers: Loggers of the run.
        run_dir: Run directory, with its figures.
        facts: Content of ``run.json``.
        results: Content of ``results.json``.
        test: Predictions table of the test split.
        datamodule: Data module, loaded.
        classifier: Classifier with the best weights.
    """
    final = flat_metrics(results)
    for logger in loggers:
        if not isinstance(logger, SafeWandbLogger):
            logger.log_metrics(final)
    predictions = Predictions.from_frame(test)
    for logger in _active_wandb_loggers(loggers):
        run = logger.experiment
        with logger.errors_as_warning():
            run.summary.update(final)
        with logger.errors_as_warning():
            run.log(panels.figures(run_dir / "figures"))
        with logger.errors_as_warning():
            run.log(panels.charts(predictions))
        with logger.errors_as_warning():
            run.log({"test/errors": panels.errors_table(predictions, datamodule, classifier, images=logger.images)})
        if logger.log_model:
            with logger.errors_as_warning():
                _log_model(run, run_dir, _model_metadata(facts, final))


def _active_wandb_loggers(loggers: list[Logger]) -> list[SafeWandbLogger]:
    """Return the loggers with a wandb run in this process: none on ranks above 0, none if wandb is disabled."""
    return [logger for logger in loggers if isinstance(logger, SafeWandbLogger) and logger.version is not None]


def _log_split(run: Any, samples: pd.DataFrame, facts: dict[str, Any], data_name: str) -> None:
    """Log the split as an input artifact of a wandb run; the same split of the same data is one version of it."""
    import wandb

    artifact = wandb.Artifact(f"split-{_artifact_name(data_name)}", type="dataset", metadata=facts)
    with artifact.new_file("samples.csv", mode="w", encoding="utf-8") as file:
        samples.drop(columns=_PRIVATE_COLUMNS).to_csv(file, index=False)
    aliases = [_artifact_name(facts["split"])]
    try:
        # as run.use_artifact does; that refuses to work offline, and would wait for the upload without a limit
        run._log_artifact(artifact, aliases=aliases, is_user_created=True, use_after_commit=True)
    except (AttributeError, TypeError):  # another version of wandb: log it as an output
        run.log_artifact(artifact, aliases=aliases)


def _log_model(run: Any, run_dir: Path, metadata: dict[str, Any]) -> None:
    """Log the bundle and the best checkpoint, with results and configuration, as an output artifact of a wandb run."""
    import wandb

    artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata=metadata)
    bundle = sorted(path.relative_to(run_dir).as_posix() for path in (run_dir / "bundle").glob("*"))
    for file in ("checkpoints/best.ckpt", "results.json", ".hydra/config.yaml", *bundle):
        if (run_dir / file).is_file():
            # immutable: wandb reads the file in place instead of copying it
            artifact.add_file(str(run_dir / file), name=file.removeprefix("."), policy="immutable")
    run.log_artifact(artifact, aliases=["best"])


def _model_metadata(facts: dict[str, Any], final: dict[str, float]) -> dict[str, Any]:
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


def _artifact_name(text: str) -> str:
    """Replace characters that wandb does not allow in names and aliases of artifacts."""
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-") or "data"
