"""Optimizers whose parameter groups carry their own learning rate and weight decay.

``fused``: one pass over all parameters, on CPUs too; not with a gradient scaler (16-mixed), which would leave gradients
to be clipped as they are scaled.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.optim import Optimizer

from brain_tumor.errors import require
from brain_tumor.models.protocol import steps_below_head

DEFAULT_LR = 1e-3
"""Learning rate for a network that suggests none."""


def resolve_lr(lr: float | Literal["auto"], network: nn.Module) -> tuple[float, str]:
    """Learning rate for ``optimizer.lr``, and its reason; auto takes the network's attribute ``suggested_lr``."""
    if lr != "auto":
        return lr, "optimizer.lr"
    name, suggested = type(network).__name__, getattr(network, "suggested_lr", None)
    if isinstance(suggested, int | float):
        return float(suggested), f"suggested by {name}"
    return DEFAULT_LR, f"{name} suggests none"


def parameter_groups(
    network: nn.Module, lr: float, weight_decay: float, head_lr: float | None = None, layer_decay: float | None = None
) -> list[dict[str, object]]:
    """Sort trainable parameters into groups by learning rate and weight decay.

    Norms and biases (parameters of one dimension) are not decayed. Layer-wise decay (Bao 2021) multiplies the learning
    rate of each stage below the head by ``layer_decay`` once more; it is written into ``lr`` itself, so that every
    scheduler keeps the ratio.

    Args:
        network: See `brain_tumor.models.protocol.Network`.
        lr: Learning rate of the backbone.
        weight_decay: Of all parameters with two dimensions or more.
        head_lr: Learning rate of the head; None: as the backbone's.
        layer_decay: In (0, 1]; None: none.

    Returns:
        Groups for an optimizer: ``params, lr, weight_decay, name``.

    Raises:
        ConfigError: A rate below 0, or a ``layer_decay`` outside (0, 1].
    """
    layer_decay = 1.0 if layer_decay is None else layer_decay
    head_lr = lr if head_lr is None else head_lr
    require(min(lr, head_lr) >= 0, f"optimizer.lr={lr} with head_lr={head_lr}", "rates of 0 or more")
    require(0 < layer_decay <= 1, f"optimizer.layer_decay={layer_decay}", "a number above 0, up to 1")
    steps = steps_below_head(network)
    groups: dict[tuple[float, float], dict[str, object]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = lr * layer_decay ** steps[name] if steps[name] else head_lr
        decay = weight_decay if parameter.ndim > 1 else 0.0
        label = f"lr {rate:.3g}, weight decay {decay:.3g}"
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay, "name": label})
        group["params"].append(parameter)  # type: ignore[attr-defined]
    return list(groups.values())


def adamw(
    network: nn.Module,
    lr: float,
    weight_decay: float,
    betas: Sequence[float] = (0.9, 0.999),
    head_lr: float | None = None,
    layer_decay: float | None = None,
    fused: bool = True,
) -> Optimizer:
    """AdamW (Loshchilov 2019) over `parameter_groups`."""
    groups = parameter_groups(network, lr, weight_decay, head_lr, layer_decay)
    return torch.optim.AdamW(groups, betas=(betas[0], betas[1]), fused=fused)


def sgd(
    network: nn.Module,
    lr: float,
    weight_decay: float,
    momentum: float = 0.9,
    head_lr: float | None = None,
    layer_decay: float | None = None,
    fused: bool = True,
) -> Optimizer:
    """SGD with Nesterov momentum over `parameter_groups`."""
    groups = parameter_groups(network, lr, weight_decay, head_lr, layer_decay)
    return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0, fused=fused)
