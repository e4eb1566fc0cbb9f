"""Fit, and report which weights were best."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException

from brain_tumor.callbacks.best_checkpoint import find_best_checkpoint
from brain_tumor.callbacks.throughput import Throughput
from brain_tumor.config.compose import explain
from brain_tumor.errors import ConfigError
from brain_tumor.models.classifier import Classifier
from brain_tumor.training.memory import keep_freed_memory, leave_new_tensors_unfilled


@dataclass(frozen=True)
class Best:
    """Best epoch of a training, by the monitored validation metric."""

    checkpoint: Path
    """File with its weights."""
    score: float
    """Value of the monitored metric."""
    facts: dict[str, Any]
    """Facts for ``run.json``: epochs, steps, monitored metric, its best value, speed."""


def fit(
    trainer: L.Trainer,
    classifier: Classifier,
    datamodule: L.LightningDataModule,
    checkpoint: Path | None = None,
) -> Best:
    """Train to the end, from the start or from a checkpoint.

    Raises:
        ConfigError: Lightning refuses the combination of settings, or training ended before its first validation.
    """
    leave_new_tensors_unfilled()
    if trainer.strategy.root_device.type == "cpu":
        keep_freed_memory()
    try:
        trainer.fit(classifier, datamodule, ckpt_path=checkpoint, weights_only=True)
    except MisconfigurationException as error:
        raise ConfigError(f"Lightning refuses this training: {explain(error)}") from error
    except Exception as error:
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            reason = " ".join(str(error).split()[:30])
            raise ConfigError(f"The network could not be compiled ({reason} …); train without compile=.") from error
        raise
    kept = find_best_checkpoint(trainer.callbacks)  # type: ignore[attr-defined]
    score = classifier.monitored
    if kept is not None and kept.monitor is not None:
        score = None if kept.best_model_score is None else kept.best_model_score.item()
    if kept is None or score is None:
        raise ConfigError("Training ended before its first validation; give it more time or epochs.")
    facts = {
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "monitor": classifier.monitor,
        "best": score,
    }
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Throughput):
            facts |= callback.facts
    return Best(Path(kept.best_model_path), score, facts)
