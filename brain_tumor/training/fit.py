"""Fit, and report which weights were best."""

import ctypes
import logging
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from brain_tumor.callbacks.best_checkpoint import find_best_checkpoint
from brain_tumor.callbacks.throughput import Throughput
from brain_tumor.config.compose import explain
from brain_tumor.errors import ConfigError
from brain_tumor.models.classifier import Classifier


@dataclass(frozen=True)
class Best:
    """The best epoch of a training, by the monitored validation metric."""

    checkpoint: Path
    score: float
    facts: dict[str, Any]
    """For the record: epochs run, the monitored metric and its best value."""


def fit(
    trainer: L.Trainer,
    classifier: Classifier,
    datamodule: L.LightningDataModule,
    checkpoint: Path | None = None,
) -> Best:
    """Train to the end, from the start or from a checkpoint.

    Raises:
        ConfigError: Lightning finds that the parts do not go together, or nothing was validated.
    """
    fill_no_new_memory()
    if trainer.strategy.root_device.type == "cpu":
        keep_freed_memory()
    try:
        trainer.fit(classifier, datamodule, ckpt_path=checkpoint, weights_only=True)
    except MisconfigurationException as error:
        raise ConfigError(f"This training cannot run: {explain(error)}") from error
    except Exception as error:
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            said = " ".join(str(error).split()[:30])
            raise ConfigError(f"The network could not be compiled here ({said} …); leave compile= out.") from error
        raise
    kept = find_best_checkpoint(trainer.callbacks)  # type: ignore[attr-defined]
    score = trainer.callback_metrics.get(classifier.monitor)
    if kept is not None and kept.monitor is not None:
        score = kept.best_model_score
    if kept is None or score is None:
        raise ConfigError("Training ended before its first validation; give it more time or epochs.")
    facts = {
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "monitor": classifier.monitor,
        "best": score.item(),
    }
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Throughput):
            facts |= callback.facts
    return Best(Path(kept.best_model_path), score.item(), facts)


log = logging.getLogger(__name__)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep what is freed for the next tensor, instead of handing it back to the system and asking for it again.

    A training step allocates and frees the same hundreds of megabytes over and over; glibc maps each large tensor anew,
    and the system fills it with zeros page by page. Without that the small CNN trains a quarter faster on 2 cores. What
    the process has at its peak stays its own until it ends. Other allocators (of macOS, of Windows, jemalloc) are left
    as they are.

    Returns:
        Whether there was anything to set.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    done = bool(mallopt(_MMAP_THRESHOLD, 1 << 30)) and bool(mallopt(_TRIM_THRESHOLD, _MOST))
    log.debug("glibc keeps freed memory: %s", done)
    return done


def fill_no_new_memory() -> None:
    """Let torch's deterministic mode leave new tensors as they are.

    It would fill each with NaN, so that who reads one before writing to it would get the same each time; nothing here
    does. It took 4 % of a step of the small CNN on 2 cores.
    """
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
