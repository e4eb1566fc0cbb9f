"""Build the classifier of a run: network, loss, optimizer and schedule, each ours or a user's own."""

import inspect
import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from brain_tumor.config.instantiate import accepts, bind, build, build_function, call, parameters, plain
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.normalize import Normalize
from brain_tumor.errors import ConfigError, require
from brain_tumor.models import schedules
from brain_tumor.models.classifier import Classifier
from brain_tumor.models.dry_run import dry_run
from brain_tumor.models.map_loss import MapLoss
from brain_tumor.models.mixing import Mixing
from brain_tumor.models.optim import parameter_groups, resolve_lr
from brain_tumor.models.protocol import Localizer, backbone_of, channel_statistics
from brain_tumor.training.distributed.world import local_processes

log = logging.getLogger(__name__)

LR_SCALING: dict[str, Callable[[int], float]] = {"none": lambda _: 1.0, "linear": float, "sqrt": math.sqrt}
"""Factor of the learning rate, by the number of batches in a step (Goyal 2017 for linear)."""
_GROUPING = ("lr", "weight_decay", "head_lr", "layer_decay")
"""Keys of ``optimizer`` that make the parameter groups; all others are the optimizer's own."""
_OPTIONS = ("fused", "lr", "weight_decay")
"""Arguments that an optimizer gets if it has them."""
_LENGTHS = ("total_steps", "num_training_steps", "T_max")
"""Names under which schedules take their length: torch's and ours, transformers', and the cosine's of torch."""
_CLASS_WEIGHTS = ("class_weights", "weight")
"""Names under which losses take one weight per class: ours, and those of torch."""


def build_classifier(cfg: DictConfig, datamodule: ScanDataModule) -> Classifier:
    """The classifier for the classes of a loaded data module, which then normalises for the network.

    Raises:
        ConfigError: Network, loss, optimizer or schedule cannot be built, or do not fit together.
    """
    num_classes = len(datamodule.classes)
    network = build_network(cfg, num_classes)
    datamodule.normalize = Normalize(*channel_statistics(network))
    mixing = {"mixup": cfg.augmentation.mixup, "cutmix": cfg.augmentation.cutmix}
    return Classifier(
        network,
        datamodule.classes,
        loss=build_loss(cfg, num_classes, datamodule.class_weights),
        optimizer=optimizer_builder(cfg, network),
        scheduler=schedule_builder(cfg),
        mixing=call(Mixing, "augmentation", num_classes=num_classes, **mixing),
        map_loss=call(MapLoss, "localizer.loss", **plain(cfg.localizer.loss)) if has_localizer(cfg) else None,
        monitor=cfg.monitor.metric,
        compile_mode=cfg.compile,
        recipe={
            "model": plain(cfg.model) | getattr(backbone_of(network), "resolved_arguments", {}),
            "localizer": localizer_recipe(cfg),
            "image_size": cfg.data.image_size,
            "mean": list(datamodule.normalize.mean),
            "std": list(datamodule.normalize.std),
        },
    )


def build_network(cfg: DictConfig, num_classes: int) -> nn.Module:
    """The network that ``model`` and ``localizer`` describe, tried out once.

    Raises:
        ConfigError: It cannot be built, is no ``nn.Module``, or is no classifier of images of this size.
    """
    network = build(cfg.model, "model", num_classes=num_classes)
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"model._target_={cfg.model._target_} returns {type(network).__name__}: expected an nn.Module."
        )
    channels, size = len(channel_statistics(network)[0]), cfg.data.image_size
    dry_run(network, channels=channels, image_size=size, num_classes=num_classes)
    if not has_localizer(cfg):
        return network
    example = torch.zeros(1, channels, size, size)
    factory = bind(localizer_recipe(cfg) or {}, "localizer")
    localized: Any = call(factory, "localizer", network, num_classes=num_classes, example=example)
    if not isinstance(localized, nn.Module) or not isinstance(localized, Localizer):
        raise ConfigError(
            f"localizer._target_={cfg.localizer._target_} returns {type(localized).__name__}: expected an nn.Module "
            "with the methods of brain_tumor.models.protocol.Localizer."
        )
    dry_run(localized, channels=channels, image_size=size, num_classes=num_classes)
    return localized


def has_localizer(cfg: DictConfig) -> bool:
    """Return whether the network draws a map."""
    return "_target_" in (cfg.get("localizer") or {})


def localizer_recipe(cfg: DictConfig) -> dict[str, Any] | None:
    """Return what builds the localizer: ``_target_`` and its arguments, without those of its loss; None without one."""
    return {key: value for key, value in plain(cfg.localizer).items() if key != "loss"} if has_localizer(cfg) else None


def build_loss(
    cfg: DictConfig, num_classes: int, class_weights: Sequence[float] | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss that ``loss`` describes: an instance of a class, or a function of (logits, target) with its settings.

    Raises:
        ConfigError: It cannot be built, takes no class weights where there are some, or does not compute a scalar.
    """
    factory, what = bind(cfg.loss, "loss"), f"loss._target_={cfg.loss._target_}"
    weights: dict[str, Any] = {}
    if class_weights is not None:
        name = next((name for name in _CLASS_WEIGHTS if accepts(factory.func, name)), None)
        if name is None:
            raise ConfigError(
                f"data.imbalance=class_weights: {what} takes neither class_weights nor weight; set "
                "data.imbalance=sampler or none."
            )
        weights = {name: list(class_weights) if name == "class_weights" else torch.tensor(class_weights)}
    loss = build_function(cfg.loss, "loss", **weights)
    mixed = bool(cfg.augmentation.mixup or cfg.augmentation.cutmix)
    kind = f"float [2, {num_classes}] (mixup and cutmix mix classes)" if mixed else "int64 [2]"
    target = torch.full((2, num_classes), 1 / num_classes) if mixed else torch.tensor([0, num_classes - 1])
    try:
        value: Any = loss(torch.zeros(2, num_classes), target)
    except Exception as error:  # whatever a user's loss raises
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(
            f"{what} fails for logits float [2, {num_classes}] and target {kind}: {type(error).__name__}: {reason}."
        ) from error
    if not isinstance(value, Tensor) or value.numel() != 1:
        found = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ConfigError(f"{what} returns {found} for a batch: expected a scalar, such as the mean over the batch.")
    return loss


def optimizer_builder(cfg: DictConfig, network: nn.Module) -> Callable[[nn.Module], Optimizer]:
    """A function that builds the optimizer of a network, from any class or function that takes parameter groups.

    Raises:
        ConfigError: There is no such optimizer, or it does not take its settings.
    """
    recipe = plain(cfg.optimizer)
    grouping = {"lr": _learning_rate(cfg, network)} | {
        name: recipe[name] for name in ("weight_decay", "head_lr", "layer_decay") if recipe.get(name) is not None
    }
    constructor = bind({key: value for key, value in recipe.items() if key not in _GROUPING}, "optimizer")
    options = {"fused": cfg.trainer.precision != "16-mixed", **grouping}
    taken = {name: options[name] for name in _OPTIONS if name in options and name in parameters(constructor.func)}

    def optimizer_of(module: nn.Module) -> Optimizer:
        groups = call(partial(parameter_groups, **grouping), "optimizer", module)
        built: Any = call(partial(constructor, **{**taken, **constructor.keywords}), "optimizer", groups)
        if not isinstance(built, Optimizer):
            raise ConfigError(
                f"optimizer._target_={recipe['_target_']} returns {type(built).__name__}: expected a "
                "torch.optim.Optimizer."
            )
        return built

    return optimizer_of


def _learning_rate(cfg: DictConfig, network: nn.Module) -> float:
    """The learning rate, scaled with the number of processes times accumulated batches."""
    return resolve_lr(cfg.optimizer.get("lr", "auto"), network)[0] * LR_SCALING[cfg.lr_scaling](_batches_per_step(cfg))


def _batches_per_step(cfg: DictConfig) -> int:
    batches: int = local_processes(cfg.trainer) * cfg.trainer.num_nodes * cfg.trainer.accumulate_grad_batches
    return batches


def log_learning_rate(cfg: DictConfig, network: nn.Module) -> None:
    """Log the learning rate with its reason, and the effective batch where it is more than one batch."""
    batches = _batches_per_step(cfg)
    lr, reason = resolve_lr(cfg.optimizer.get("lr", "auto"), network)
    log.info("optimizer.lr=%g (%s)", lr, reason)
    if batches > 1:
        log.info(
            "effective batch %d = %d per process × %d processes × %d accumulated; lr %g × %g (lr_scaling=%s)",
            cfg.data.batch_size * batches,
            cfg.data.batch_size,
            batches // cfg.trainer.accumulate_grad_batches,
            cfg.trainer.accumulate_grad_batches,
            lr,
            LR_SCALING[cfg.lr_scaling](batches),
            cfg.lr_scaling,
        )


def keeps_its_length(cfg: DictConfig) -> bool:
    """Return whether the schedule stores the length that it started with, so that a resumed run cannot change it.

    Ours follow the present length, as do all that have none; of torch's and others it is not known.
    """
    constructor = bind({key: value for key, value in plain(cfg.scheduler).items() if key != "interval"}, "scheduler")
    is_ours = constructor.func.__module__ == schedules.__name__
    taken = [name for name in _LENGTHS if name in parameters(constructor.func) and name not in constructor.keywords]
    return bool(taken) and not is_ours


def schedule_builder(cfg: DictConfig) -> Callable[[Optimizer, int], dict[str, Any]]:
    """A function (optimizer, number of steps) → Lightning's description of the schedule, from any torch scheduler.

    Raises:
        ConfigError: There is no such scheduler, or it does not take its settings.
    """
    recipe = plain(cfg.scheduler)
    interval = recipe.pop("interval", "epoch")
    require(interval in ("step", "epoch"), f"scheduler.interval={interval}", "step or epoch")
    constructor, what = bind(recipe, "scheduler"), f"scheduler._target_={recipe['_target_']}"
    reads_metric = inspect.isclass(constructor.func) and issubclass(constructor.func, ReduceLROnPlateau)
    every = cfg.trainer.check_val_every_n_epoch
    require(
        not reads_metric or (interval == "epoch" and bool(every)),
        f"scheduler.interval={interval} with trainer.check_val_every_n_epoch={every} for ReduceLROnPlateau",
        "scheduler.interval=epoch and a number of epochs, as it reads a metric that validations bring",
    )

    def schedule_of(optimizer: Optimizer, steps: int) -> dict[str, Any]:
        length = steps if interval == "step" else cfg.trainer.max_epochs
        known: dict[str, Any] = dict.fromkeys(_LENGTHS, length)
        if reads_metric:
            known["mode"] = cfg.monitor.mode
        filled = {
            name: value
            for name, value in known.items()
            if name in parameters(constructor.func) and name not in constructor.keywords
        }
        schedule: Any = call(constructor, "scheduler", optimizer, **filled)
        if not isinstance(schedule, LRScheduler):
            raise ConfigError(
                f"{what} returns {type(schedule).__name__}: expected a torch.optim.lr_scheduler.LRScheduler."
            )
        described = {"scheduler": schedule, "interval": interval}
        if isinstance(schedule, ReduceLROnPlateau):  # it reads the metric, which is new after a validation only
            described |= {"monitor": cfg.monitor.metric, "frequency": every}
        return described

    return schedule_of
