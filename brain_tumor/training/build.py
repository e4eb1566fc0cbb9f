"""From the composed configuration to the objects of one run."""

import logging
import math
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, Strategy
from omegaconf import DictConfig

from brain_tumor.callbacks.best_checkpoint import BestCheckpoint
from brain_tumor.callbacks.epoch_table import EpochTable
from brain_tumor.callbacks.gradient_norm import GradientNorm
from brain_tumor.callbacks.resume_checkpoint import ResumeCheckpoint
from brain_tumor.callbacks.step_seed import StepSeed
from brain_tumor.callbacks.stop import Stop
from brain_tumor.callbacks.throughput import Throughput
from brain_tumor.config.compose import explain
from brain_tumor.config.instantiate import build, call, plain
from brain_tumor.data.augmentation import Augmentation
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.normalize import Normalize
from brain_tumor.errors import ConfigError
from brain_tumor.models.classifier import Classifier
from brain_tumor.models.mixing import Mixing
from brain_tumor.models.protocol import channel_statistics
from brain_tumor.run_dir.resume import last_checkpoint
from brain_tumor.training.checkpoints import RunDirCheckpoints
from brain_tumor.training.data import build_split, loading_arguments
from brain_tumor.training.distributed.world import local_processes
from brain_tumor.training.precision import FULL

log = logging.getLogger(__name__)

LR_SCALING: dict[str, Callable[[int], float]] = {"none": lambda _: 1.0, "linear": float, "sqrt": math.sqrt}
"""Factor of the learning rate, given how many batches make up a step (Goyal 2017 for linear)."""
_STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "ddp": partial(DDPStrategy, gradient_as_bucket_view=True),
    "fsdp": FSDPStrategy,
}


def build_datamodule(cfg: DictConfig) -> ScanDataModule:
    """The data module, not loaded yet."""
    steps = plain(cfg.augmentation.steps or {})
    return call(
        ScanDataModule,
        "data",
        split=build_split(cfg),
        augmentation=call(Augmentation, "augmentation", steps=steps) if steps else None,
        **loading_arguments(cfg),
        batch_size=cfg.data.batch_size,
        eval_batch_size=cfg.data.eval_batch_size,
        num_workers=cfg.data.num_workers,
        processes=local_processes(cfg.trainer),
        imbalance=cfg.data.imbalance,
        allow_leakage=cfg.split.allow_leakage,
        random_labels=cfg.data.random_labels,
        seed=cfg.seed,
    )


def build_classifier(cfg: DictConfig, datamodule: ScanDataModule) -> Classifier:
    """The classifier for the classes of a loaded data module, which learns from it how to normalise."""
    recipe = plain(cfg.model)
    recipe.pop("lr")  # a default of the optimizer's
    network = build(recipe, "model", num_classes=len(datamodule.classes))
    datamodule.normalize = Normalize(*channel_statistics(network))
    mixing = {"mixup": cfg.augmentation.mixup, "cutmix": cfg.augmentation.cutmix}
    return Classifier(
        network,
        datamodule.classes,
        loss=build(cfg.loss, "loss", class_weights=datamodule.class_weights),
        optimizer=partial(call, build(_scaled(cfg), "optimizer"), "optimizer"),
        scheduler=partial(call, build(cfg.scheduler, "scheduler"), "scheduler"),
        mixing=call(Mixing, "augmentation", num_classes=len(datamodule.classes), **mixing),
        monitor=cfg.monitor.metric,
        mode=cfg.monitor.mode,
        compile_mode=cfg.compile,
        recipe={
            "model": recipe,
            "image_size": cfg.data.image_size,
            "mean": list(datamodule.normalize.mean),
            "std": list(datamodule.normalize.std),
        },
    )


def _scaled(cfg: DictConfig) -> dict[str, Any]:
    """The optimizer's recipe, its rate scaled with the number of processes and accumulated batches; the log says so."""
    processes = local_processes(cfg.trainer) * cfg.trainer.num_nodes
    together = processes * cfg.trainer.accumulate_grad_batches
    factor = LR_SCALING[cfg.lr_scaling](together)
    recipe = plain(cfg.optimizer)
    if together > 1:
        log.info(
            "effective batch %d = %d per process × %d processes × %d accumulated; lr %g × %g (lr_scaling=%s)",
            cfg.data.batch_size * together,
            cfg.data.batch_size,
            processes,
            cfg.trainer.accumulate_grad_batches,
            recipe["lr"],
            factor,
            cfg.lr_scaling,
        )
    return recipe | {"lr": recipe["lr"] * factor, "fused": cfg.trainer.precision != "16-mixed"}


def build_trainer(cfg: DictConfig, loggers: list[Logger], stop: Stop | None = None) -> L.Trainer:
    """The trainer that fits: with checkpoints, the table of epochs, and what ``callbacks`` asks for.

    Args:
        cfg: With settled ``trainer``: processes, and precision.
        loggers: Experiment loggers.
        stop: Whether to end early; None is never.
    """
    run_dir = Path(cfg.paths.run_dir)
    callbacks: list[Callback] = [build(node, f"callbacks.{name}") for name, node in cfg.get("callbacks", {}).items()]
    callbacks += [
        StepSeed(cfg.seed),
        Throughput(),
        EpochTable(run_dir / "metrics.csv", announce="progress" not in cfg.get("callbacks", {})),
        call(
            BestCheckpoint,
            "monitor",
            dirpath=run_dir / "checkpoints",
            filename="best",
            monitor=cfg.monitor.metric,
            mode=cfg.monitor.mode,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
        ResumeCheckpoint(last_checkpoint(run_dir), cfg.snapshot_minutes, stop or Stop()),
        *([LearningRateMonitor("step"), GradientNorm()] if loggers else []),
    ]
    return _trainer(cfg, callbacks, loggers, plugins=[RunDirCheckpoints()])


def fresh_trainer(cfg: DictConfig) -> L.Trainer:
    """A trainer on one device that carries nothing over from fitting: not its raw weights, not its padding of ranks.

    It computes in full precision whatever was trained in, as the model will wherever it is used.
    """
    alone = {"strategy": "auto", "devices": 1, "num_nodes": 1, "sync_batchnorm": False, "precision": FULL}
    return _trainer(cfg, [], [], profiler=None, max_time=None, plugins=[LightningEnvironment()], **alone)


def _trainer(cfg: DictConfig, callbacks: list[Callback], loggers: list[Logger], **overrides: Any) -> L.Trainer:
    recipe = plain(cfg.trainer) | overrides
    timeout = timedelta(seconds=recipe.pop("timeout"))
    if recipe["strategy"] != "auto":
        recipe["strategy"] = _STRATEGIES[recipe["strategy"]](timeout=timeout)
    try:
        trainer: L.Trainer = build(
            recipe,
            "trainer",
            callbacks=callbacks,
            logger=loggers or False,
            default_root_dir=cfg.paths.run_dir,
            use_distributed_sampler=False,  # ours deals draws out to the ranks itself
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        )
    except MisconfigurationException as error:
        raise ConfigError(f"trainer cannot be built: {explain(error)}") from error
    return trainer
