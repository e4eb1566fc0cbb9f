"""Find the batch size and the learning rate before training, with Lightning's own tuner (``tune=[batch_size,lr]``)."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

import numpy as np
from lightning.pytorch.tuner.tuning import Tuner
from lightning.pytorch.utilities.seed import isolate_rng
from omegaconf import DictConfig, OmegaConf

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.errors import ConfigError
from brain_tumor.training.build import tuning_trainer
from brain_tumor.training.build_classifier import build_classifier
from brain_tumor.training.distributed.world import World
from brain_tumor.training.precision import resolve_precision
from brain_tumor.types import Floats

log = logging.getLogger(__name__)

RATES = (1e-6, 1.0)
"""Lowest and highest learning rate that are tried, one per step."""
STEPS = 100
"""Number of learning rates that are tried."""
_FIRST = 10
"""Number of rates at the beginning that are left out: Lightning's average of the losses is not yet smooth."""
_WINDOW = 9
"""Number of rates over which the slope of the loss is averaged."""
_TRIAL_STEPS = 3
"""Training steps per batch size that is tried."""
_STEPS_PER_EPOCH = 4
"""Fewest training steps per epoch that a batch size may leave."""


def tune(cfg: DictConfig, datamodule: ScanDataModule, world: World, precision: str | None) -> dict[str, Any]:
    """Find what ``tune`` names, on one device, and write it into the configuration and the data module.

    The training itself starts as if nothing had been tried: its random numbers, its network and its data are new.

    Args:
        cfg: Composed configuration; ``data.batch_size`` and ``optimizer.lr`` are replaced.
        datamodule: Loaded data module.
        world: Processes of the training.
        precision: Precision of an interrupted run, see `brain_tumor.training.precision.resolve_precision`.

    Returns:
        For ``run.json``: ``batch_size`` and ``lr``, each with ``value`` (None: nothing was found) and ``reason``; the
        learning rate also with ``curve``, the rates and their losses.

    Raises:
        ConfigError: torchrun or srun started the processes, which might find different values.
    """
    if world.launcher != "own":
        raise ConfigError(
            f"tune={list(cfg.tune)} cannot run under {world.launcher}; run it once with one process, and then set the "
            "values that its log gives."
        )
    finders = {"batch_size": _find_batch_size, "lr": _find_lr}
    found: dict[str, Any] = {}
    for name, finder in finders.items():  # the learning rate belongs to a batch size
        if name in cfg.tune:
            with isolate_rng():
                found[name] = finder(cfg, datamodule, world, precision)
            apply(found, cfg, datamodule)
            log.info("%s=%s (%s)", *_key_and_value(name, found[name]), found[name]["reason"])
    return found


def apply(found: dict[str, Any], cfg: DictConfig, datamodule: ScanDataModule) -> None:
    """Write values that `tune` found, now or before the run was interrupted, into configuration and data module."""
    if value := found.get("batch_size", {}).get("value"):
        cfg.data.batch_size = datamodule.batch_size = value
    if value := found.get("lr", {}).get("value"):
        OmegaConf.update(cfg, "optimizer.lr", value, force_add=True)  # a user's optimizer need not have the key


def _key_and_value(name: str, found: dict[str, Any]) -> tuple[str, str]:
    key = {"batch_size": "data.batch_size", "lr": "optimizer.lr"}[name]
    return key, "unchanged" if found["value"] is None else f"{found['value']:g}"


def _find_batch_size(
    cfg: DictConfig, datamodule: ScanDataModule, world: World, precision: str | None
) -> dict[str, Any]:
    """Double the batch size until memory or the number of training images ends it."""
    first, images = datamodule.batch_size, len(datamodule.rows("train"))
    limit = max(first, images // _STEPS_PER_EPOCH)
    classifier = build_classifier(cfg, datamodule)
    resolve_precision(cfg, classifier, world, precision)
    try:
        size = Tuner(tuning_trainer(cfg)).scale_batch_size(
            classifier, datamodule=datamodule, steps_per_trial=_TRIAL_STEPS, init_val=first, max_val=limit + 1
        )
    finally:
        datamodule.batch_size = first
    if size is None:
        return {"value": None, "reason": "no batch size could be tried"}
    if size > limit:  # the last doubling, which was not tried
        return {"value": size // 2, "reason": f"the next would leave fewer than {_STEPS_PER_EPOCH} steps per epoch"}
    return {"value": size, "reason": f"the largest that fits into memory, of those tried from {first} on by doubling"}


def _find_lr(cfg: DictConfig, datamodule: ScanDataModule, world: World, precision: str | None) -> dict[str, Any]:
    """Raise the rate from step to step, and take the one at which the loss falls most steeply (Smith 2017)."""
    classifier = build_classifier(cfg, datamodule)
    resolve_precision(cfg, classifier, world, precision)
    with _no_bar_in_files():
        finder = Tuner(tuning_trainer(cfg)).lr_find(
            classifier, datamodule=datamodule, min_lr=RATES[0], max_lr=RATES[1], num_training=STEPS, update_attr=False
        )
    tried = {"lr": [], "loss": []} if finder is None else finder.results
    rates, losses = (np.array(tried[name][_FIRST:], float) for name in ("lr", "loss"))
    finite = np.isfinite(losses)
    curve = {"lr": rates[finite].tolist(), "loss": losses[finite].tolist()}
    value = steepest(rates[finite], losses[finite])
    if value is None:
        return {"value": None, "reason": f"the loss was finite at {finite.sum()} rates only", "curve": curve}
    reason = f"the training loss fell most steeply there, of {finite.sum()} rates from {curve['lr'][0]:.2g} on"
    return {"value": value, "reason": reason, "curve": curve}


def steepest(rates: Floats, losses: Floats) -> float | None:
    """Return the rate at which the loss falls most steeply over the logarithm of the rate; None for too few rates.

    The slope is averaged over `_WINDOW` rates. Lightning's own suggestion takes the slope over the rate itself, which
    is steepest at the smallest rates.

    Args:
        rates: Learning rates, evenly spaced on a logarithmic scale and rising, float [N].
        losses: Losses, float [N].
    """
    if len(rates) < 2 * _WINDOW:
        return None
    slope = np.convolve(np.gradient(losses, np.log(rates)), np.full(_WINDOW, 1 / _WINDOW), mode="valid")
    return float(rates[_WINDOW // 2 + int(slope.argmin())])


@contextmanager
def _no_bar_in_files() -> Iterator[None]:
    """Hide Lightning's progress bar where it would fill a log file with a line per step."""
    if sys.stderr.isatty():
        yield
        return
    with redirect_stderr(io.StringIO()):
        yield
