"""Build the data module, the callbacks and the trainer of a run from its configuration."""

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

from brain_tumor.callbacks.best_checkpoint import find_best_checkpoint
from brain_tumor.callbacks.resume_checkpoint import ResumeCheckpoint
from brain_tumor.callbacks.stop import Stop
from brain_tumor.config.compose import explain
from brain_tumor.config.instantiate import bind, build, call, plain
from brain_tumor.data.augmentation import Augmentation, own_step
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.errors import ConfigError
from brain_tumor.training.checkpoint_writer import RunDirCheckpoints
from brain_tumor.training.data_from_config import build_split, loading_arguments
from brain_tumor.training.distributed.world import local_processes
from brain_tumor.training.precision import FULL

_STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "ddp": partial(DDPStrategy, gradient_as_bucket_view=True),
    "fsdp": FSDPStrategy,
}


def build_datamodule(cfg: DictConfig) -> ScanDataModule:
    """The data module, before it is loaded."""
    steps = {name: _step(name, node) for name, node in plain(cfg.augmentation.steps or {}).items()}
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
        label_conflicts=cfg.data.label_conflicts,
        copies=cfg.data.copies,
        allow_leakage=cfg.split.allow_leakage,
        random_labels=cfg.data.random_labels,
        with_masks="_target_" in (cfg.get("localizer") or {}),
        seed=cfg.seed,
    )


def _step(name: str, node: Any) -> Any:
    """A step of the augmentation: its arguments as they are, or the transform of a user's class or function."""
    if not (isinstance(node, dict) and "_target_" in node):
        return node
    what, probability = f"augmentation.steps.{name}", node.get("p", 0.5)
    factory = bind({key: value for key, value in node.items() if key != "p"}, what)
    return call(own_step, what, name, factory, probability)


def build_trainer(cfg: DictConfig, loggers: list[Logger], stop: Stop | None = None) -> L.Trainer:
    """The trainer that fits, with every callback in ``callbacks``.

    Args:
        cfg: Configuration with resolved ``trainer``: processes and precision.
        loggers: Experiment loggers.
        stop: Request to end early; None for a training that is not interrupted.

    Raises:
        ConfigError: A callback or the trainer cannot be built, or no callback keeps the best weights.
    """
    return _trainer(cfg, build_callbacks(cfg, stop or Stop()), loggers, plugins=[RunDirCheckpoints(cfg.paths.run_dir)])


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


def tuning_trainer(cfg: DictConfig) -> L.Trainer:
    """A trainer on one device that tries settings before the training: no callbacks, no loggers, no end by epochs."""
    alone = {"strategy": "auto", "devices": 1, "num_nodes": 1, "sync_batchnorm": False}
    unlimited = {"max_epochs": 1000, "max_time": None, "limit_train_batches": 1.0, "overfit_batches": 0.0}
    return _trainer(cfg, [], [], profiler=None, plugins=[LightningEnvironment()], **alone, **unlimited)


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
