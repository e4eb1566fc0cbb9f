"""Find a user's mistakes in network, loss, optimizer, schedule, callbacks and trainer before data are read."""

import copy

import lightning as L
import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from brain_tumor.callbacks.progressive_resizing import ProgressiveResizing
from brain_tumor.config.instantiate import bind, build_function, refuse_misfits
from brain_tumor.models.dry_run import training_dry_run
from brain_tumor.models.protocol import channel_statistics
from brain_tumor.training.build import build_trainer
from brain_tumor.training.build_classifier import build_network, optimizer_builder, schedule_builder
from brain_tumor.training.distributed.world import local_processes
from brain_tumor.training.precision import FULL

_CLASSES = 4
"""Number of classes until the data are read."""
_STEPS_PER_EPOCH = 10_000
"""More than any warm-up takes."""


def try_out(cfg: DictConfig) -> None:
    """Build everything that ``cfg`` describes but the data, take one step, and forget it all.

    It draws random numbers: seed the generators afterwards.

    Args:
        cfg: Configuration with resolved ``trainer.devices``; it is not changed.

    Raises:
        BrainTumorError: Weights cannot be loaded, or a setting cannot work; what depends on the data (their classes,
            their number) is not checked here.
    """
    cfg = copy.deepcopy(cfg)
    if cfg.trainer.precision == "auto":
        cfg.trainer.precision = FULL
    trainer = build_trainer(cfg, [])
    network = build_network(cfg, _CLASSES)
    _try_batch(cfg, network, _smallest_images(cfg, trainer))
    if cfg.data.imbalance == "class_weights":
        bind(cfg.loss, "loss")
    else:
        build_function(cfg.loss, "loss")
    optimizer = optimizer_builder(cfg, network)(network)
    schedule_builder(cfg)(optimizer, cfg.trainer.max_epochs * _STEPS_PER_EPOCH)
    _try_step(cfg, optimizer)


def _smallest_images(cfg: DictConfig, trainer: L.Trainer) -> int:
    """Height and width of the smallest images of the training, pixels."""
    full: int = cfg.data.image_size
    resizing = [each for each in trainer.callbacks if isinstance(each, ProgressiveResizing)]  # type: ignore[attr-defined]
    return min([full, *(each.side(0, cfg.trainer.max_epochs, full) for each in resizing)])


def _try_batch(cfg: DictConfig, network: nn.Module, side: int) -> None:
    """Run a training batch of the full size, and where batch norm may see single values, one of the smallest images."""
    several = cfg.trainer.sync_batchnorm and local_processes(cfg.trainer) * cfg.trainer.num_nodes > 1
    size = 2 if several else cfg.data.batch_size
    for image_size in {cfg.data.image_size, side if size == 1 else cfg.data.image_size}:
        training_dry_run(
            network,
            channels=len(channel_statistics(network)[0]),
            image_size=image_size,
            batch_size=size,
            setting=f"data.batch_size={cfg.data.batch_size}",
        )


def _try_step(cfg: DictConfig, optimizer: Optimizer) -> None:
    """Take a step with gradients of 0, and explain a failure by a setting; whatever else fails, training reports."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    try:
        optimizer.step(lambda: 0.0)
    except Exception:  # whatever an optimizer raises
        refuse_misfits(bind(cfg.optimizer, "optimizer"), "optimizer")
