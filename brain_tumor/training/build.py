"""Build the objects of one run from the composed configuration."""

import logging
import math
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import lightning as L
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, Strategy
from omegaconf import DictConfig
from torch import nn

from brain_tumor.callbacks.best_checkpoint import find_best_checkpoint
from brain_tumor.callbacks.resume_checkpoint import ResumeCheckpoint
from brain_tumor.callbacks.stop import Stop
from brain_tumor.config.compose import explain
from brain_tumor.config.instantiate import build, call, plain
from brain_tumor.data.augmentation import Augmentation
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.normalize import Normalize
from brain_tumor.errors import ConfigError
from brain_tumor.models.classifier import Classifier
from brain_tumor.models.mixing import Mixing
from brain_tumor.models.optim import resolve_lr
from brain_tumor.models.protocol import channel_statistics
from brain_tumor.training.checkpoint_writer import RunDirCheckpoints
from brain_tumor.training.data_from_config import build_split, loading_arguments
from brain_tumor.training.distributed.world import local_processes
from brain_tumor.training.precision import FULL

log = logging.getLogger(__name__)

LR_SCALING: dict[str, Callable[[int], float]] = {"none": lambda _: 1.0, "linear": float, "sqrt": math.sqrt}
"""Factor of the learning rate, by the number of batches in a step (Goyal 2017 for linear)."""
_STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "ddp": partial(DDPStrategy, gradient_as_bucket_view=True),
    "fsdp": FSDPStrategy,
}


def build_datamodule(cfg: DictConfig) -> ScanDataModule:
    """The data module, before it is loaded."""
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
    """The classifier for the classes of a loaded data module, which then normalises for the network."""
    recipe = plain(cfg.model)
    network = build(recipe, "model", num_classes=len(datamodule.classes))
    datamodule.normalize = Normalize(*channel_statistics(network))
    mixing = {"mixup": cfg.augmentation.mixup, "cutmix": cfg.augmentation.cutmix}
    return Classifier(
        network,
        datamodule.classes,
        loss=build(cfg.loss, "loss", class_weights=datamodule.class_weights),
        optimizer=partial(call, build(_optimizer_recipe(cfg, network), "optimizer"), "optimizer"),
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


def _optimizer_recipe(cfg: DictConfig, network: nn.Module) -> dict[str, Any]:
    """The optimizer's recipe with the learning rate resolved, and scaled with processes times accumulated batches."""
    processes = local_processes(cfg.trainer) * cfg.trainer.num_nodes
    batches = processes * cfg.trainer.accumulate_grad_batches
    factor = LR_SCALING[cfg.lr_scaling](batches)
    lr, reason = resolve_lr(cfg.optimizer.lr, network)
    log.info("optimizer.lr=%g (%s)", lr, reason)
    if batches > 1:
        log.info(
            "effective batch %d = %d per process × %d processes × %d accumulated; lr %g × %g (lr_scaling=%s)",
            cfg.data.batch_size * batches,
            cfg.data.batch_size,
            processes,
            cfg.trainer.accumulate_grad_batches,
            lr,
            factor,
            cfg.lr_scaling,
        )
    return plain(cfg.optimizer) | {"lr": lr * factor, "fused": cfg.trainer.precision != "16-mixed"}


def build_trainer(cfg: DictConfig, loggers: list[Logger], stop: Stop | None = None) -> L.Trainer:
    """The trainer that fits, with every callback in ``callbacks``.

    Args:
        cfg: Configuration with resolved ``trainer``: processes and precision.
        loggers: Experiment loggers.
        stop: Request to end early; None for a training that is not interrupted.

    Raises:
        ConfigError: A callback or the trainer cannot be built, or no callback keeps the best weights.
    """
    return _trainer(cfg, build_callbacks(cfg, stop or Stop()), loggers, plugins=[RunDirCheckpoints()])


def build_callbacks(cfg: DictConfig, stop: Stop) -> list[Callback]:
    """The callbacks in ``callbacks``, in their order, the checkpoint to resume from last.

    Args:
        cfg: Configuration.
        stop: Request to end early, an argument of callbacks that are marked ``_partial_``.

    Raises:
        ConfigError: A callback cannot be built, or none keeps the best weights.
    """
    built: list[Callback] = []
    for name, node in cfg.get("callbacks", {}).items():
        callback = build(node, f"callbacks.{name}")
        built.append(call(callback, f"callbacks.{name}", stop=stop) if node.get("_partial_") else callback)
    if find_best_checkpoint(built) is None:
        raise ConfigError(
            "callbacks.best_checkpoint is left out, and evaluation needs the weights that it saves; keep it, and set "
            "callbacks.best_checkpoint.monitor=null to evaluate the last epoch."
        )
    return sorted(built, key=lambda callback: isinstance(callback, ResumeCheckpoint))


def fresh_trainer(cfg: DictConfig) -> L.Trainer:
    """A trainer on one device, without state of the fit, such as its last weights or the padding of its ranks.

    It computes in full precision, whatever the precision of training, as the model does where it is used.
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
            use_distributed_sampler=False,  # our sampler divides the samples among the ranks
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        )
    except MisconfigurationException as error:
        raise ConfigError(f"trainer cannot be built: {explain(error)}") from error
    return trainer
