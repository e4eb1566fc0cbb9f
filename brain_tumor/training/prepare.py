"""What every process of a training does before it fits: load the data, build network and trainer."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import lightning as L
from lightning import seed_everything
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from torch import nn

from brain_tumor.callbacks.stop import Stop
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.samples import SPLITS
from brain_tumor.errors import ConfigError
from brain_tumor.models.classifier import Classifier
from brain_tumor.models.dry_run import training_dry_run
from brain_tumor.models.protocol import channel_statistics
from brain_tumor.training.build import build_datamodule, build_trainer
from brain_tumor.training.build_classifier import build_classifier, log_learning_rate
from brain_tumor.training.distributed.world import World
from brain_tumor.training.precision import resolve_precision


@dataclass(frozen=True)
class Prepared:
    """A training that is ready to fit."""

    classifier: Classifier
    trainer: L.Trainer
    precision: str
    """Precision with its reason, for ``run.json``."""


def load_data(cfg: DictConfig) -> ScanDataModule:
    """Seed all random generators, then build and load the data module.

    Raises:
        DataError: The data cannot be used, or their split leaks.
    """
    seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule = build_datamodule(cfg)
    datamodule.load()
    return datamodule


def prepare(
    cfg: DictConfig,
    datamodule: ScanDataModule,
    world: World,
    stop: Stop,
    loggers: Sequence[Logger] = (),
    precision: str | None = None,
) -> Prepared:
    """Build network, loss, optimizer and trainer; ``trainer.precision=auto`` is resolved in ``cfg``.

    Args:
        cfg: Composed configuration.
        datamodule: Loaded data module.
        world: Processes of the training, which all get the same precision.
        stop: Request to end training early.
        loggers: Experiment loggers of rank 0.
        precision: Precision that an interrupted run had, in `Prepared` form; None resolves it now.
    """
    classifier = build_classifier(cfg, datamodule)
    log_learning_rate(cfg, classifier.network)
    _check_batches(cfg, datamodule, classifier.network, world)
    precision = resolve_precision(cfg, classifier, world, precision)
    return Prepared(classifier, build_trainer(cfg, list(loggers), stop), precision)


def _check_batches(cfg: DictConfig, datamodule: ScanDataModule, network: nn.Module, world: World) -> None:
    """Check that training, validation and prediction get batches, and training none that is too small.

    Raises:
        ConfigError: They do not.
    """
    counts = {split: len(datamodule.rows(split)) for split in SPLITS}
    per_process = max(1, counts["train"] // world.size)
    training = max(1, per_process // datamodule.batch_size)
    evaluated = {split: math.ceil(counts[split] / cfg.data.eval_batch_size) for split in ("val", "test")}
    for key, batches in {
        "limit_train_batches": training,
        "overfit_batches": training,
        "limit_val_batches": evaluated["val"],
        "limit_predict_batches": min(evaluated.values()),
    }.items():
        share = cfg.trainer.get(key)
        if isinstance(share, float) and 0 < share * batches < 1:
            raise ConfigError(
                f"trainer.{key}={share} of {batches} batches is none; expected a share that makes a batch or more, or "
                f"their number: trainer.{key}=1."
            )
    limit, most = cfg.trainer.limit_train_batches, cfg.trainer.get("max_steps") or -1
    used = int(training * limit) if isinstance(limit, float) else min(training, limit)
    needed = math.ceil(used / cfg.trainer.accumulate_grad_batches) * (cfg.trainer.check_val_every_n_epoch or 0)
    if 0 <= most < needed:
        raise ConfigError(
            f"trainer.max_steps={most} ends before the first validation, after {needed} steps; expected {needed} or "
            "more, or a smaller trainer.limit_train_batches."
        )
    if per_process == 1 and not (cfg.trainer.sync_batchnorm and world.size > 1):
        training_dry_run(
            copy.deepcopy(network),
            channels=len(channel_statistics(network)[0]),
            image_size=cfg.data.image_size,
            batch_size=1,
            setting=f"{counts['train']} training images for {world.size} processes",
        )
