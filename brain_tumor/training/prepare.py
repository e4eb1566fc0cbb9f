"""What every process of a training does before it fits: load the data, build network and trainer."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightning as L
from lightning import seed_everything
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from brain_tumor.callbacks.stop import Stop
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.models.classifier import Classifier
from brain_tumor.training.build import build_datamodule, build_trainer
from brain_tumor.training.build_classifier import build_classifier
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
    precision = resolve_precision(cfg, classifier, world, precision)
    return Prepared(classifier, build_trainer(cfg, list(loggers), stop), precision)
