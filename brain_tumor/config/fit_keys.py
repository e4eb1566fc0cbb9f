"""Keys of optimizer and trainer, and combinations of them that could not end in weights to evaluate."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from brain_tumor.config.key_types import AUTO_OR_NUMBER, Check, is_number, key, number, one_of, whole
from brain_tumor.errors import require

_FROM_0 = number(lambda value: value >= 0, "a number from 0")
_BATCHES = Check(
    lambda value: is_number(value) and (value >= 1 if isinstance(value, int) else 0 < value <= 1),
    "a number of batches from 1, or a share of them up to 1.0",
)
_DURATION = Check(
    lambda value: isinstance(value, Mapping) or re.fullmatch(r"\d+:\d\d:\d\d:\d\d", str(value)) is not None,
    "DD:HH:MM:SS, five minutes: 00:00:05:00",
)


@dataclass(kw_only=True)
class Optimizer:
    """Keys that all optimizers share."""

    lr: float | str = key(
        "learning rate; auto takes the network's suggested_lr, or 1e-3 where it has none",
        AUTO_OR_NUMBER,
    )
    weight_decay: float = key("weight decay, except on norms and biases", _FROM_0)
    head_lr: float | None = key("learning rate of the head; null: optimizer.lr", _FROM_0)
    layer_decay: float | None = key(
        "factor on the learning rate per stage below the head; null: 1",
        number(lambda value: 0 < value <= 1, "a number above 0, up to 1"),
    )


@dataclass(kw_only=True)
class Trainer:
    """Keys of Lightning's Trainer that are checked here, and ours."""

    max_epochs: int = key("epochs of training", whole(1))
    max_time: str | Mapping[str, int] | None = key("longest training, DD:HH:MM:SS; null: no limit", _DURATION)
    timeout: float = key(
        "seconds after which a process that does not answer ends the job",
        number(lambda value: value > 0, "seconds, more than 0"),
    )
    precision: str = key(
        "floating-point precision; auto: bf16 where the device is faster with it",
        one_of("auto", "32-true", "bf16-mixed", "16-mixed"),
    )
    gradient_clip_val: float | None = key("largest norm of the gradient; null: no clipping", _FROM_0)
    accumulate_grad_batches: int = key("batches per optimizer step", whole(1))
    check_val_every_n_epoch: int | None = key("epochs from one validation to the next", whole(1))
    limit_train_batches: float = key("training batches per epoch: a share (1.0) or a count (1)", _BATCHES)
    limit_val_batches: float = key("validation batches per epoch: a share (1.0) or a count (1)", _BATCHES)
    limit_predict_batches: float = key(
        "batches of validation and test that are predicted: a share (1.0) or a count (1)", _BATCHES
    )


def require_validation(cfg: DictConfig) -> None:
    """Refuse a training that would end without a validation, or without weights.

    Args:
        cfg: Composed configuration of a training, its values checked one by one.

    Raises:
        ConfigError: It would.
    """
    trainer: Any = cfg.trainer
    every = trainer.get("check_val_every_n_epoch")
    require(
        not every or every <= trainer.max_epochs,
        f"trainer.check_val_every_n_epoch={every} with trainer.max_epochs={trainer.max_epochs}",
        f"a validation in time, every {trainer.max_epochs} epochs or more often: it selects the weights",
    )
    dry = trainer.get("fast_dev_run")
    require(not dry, f"trainer.fast_dev_run={dry}", "debug=fast, which also keeps weights to evaluate")
