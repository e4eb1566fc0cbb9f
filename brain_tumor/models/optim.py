"""Parameter groups, one per learning rate and weight decay, for any optimizer; and timm's optimizers."""

import difflib
from collections.abc import Iterable
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer

from brain_tumor.errors import ConfigError, require
from brain_tumor.models.protocol import backbone_of, steps_below_head

DEFAULT_LR = 1e-3
"""Learning rate for a network that suggests none."""


def resolve_lr(lr: float | Literal["auto"], network: nn.Module) -> tuple[float, str]:
    """Learning rate for ``optimizer.lr``, and its reason; auto takes the network's attribute ``suggested_lr``."""
    if lr != "auto":
        return lr, "optimizer.lr"
    name, suggested = type(backbone_of(network)).__name__, getattr(network, "suggested_lr", None)
    if isinstance(suggested, int | float):
        return float(suggested), f"suggested by {name}"
    return DEFAULT_LR, f"{name} suggests none"


def parameter_groups(
    network: nn.Module,
    lr: float,
    weight_decay: float = 0.0,
    head_lr: float | None = None,
    layer_decay: float | None = None,
) -> list[dict[str, object]]:
    """Group trainable parameters by learning rate and weight decay.

    Norms and biases (parameters of one dimension) are not decayed. Layer-wise decay (Bao 2021) multiplies the learning
    rate by ``layer_decay`` once for each stage below the head. It is part of the group's ``lr``, so that every schedule
    keeps the ratio.

    Args:
        network: Network that follows `brain_tumor.models.protocol.Network`.
        lr: Learning rate of the backbone.
        weight_decay: Weight decay of parameters with two or more dimensions.
        head_lr: Learning rate of the head; None uses ``lr``.
        layer_decay: Factor per stage, in (0, 1]; None disables layer-wise decay.

    Returns:
        Groups for an optimizer: ``params, lr, weight_decay, name``.

    Raises:
        ConfigError: A rate is below 0, or ``layer_decay`` is outside (0, 1].
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


def timm_optimizer(params: Iterable[Any], name: str, lr: float, weight_decay: float = 0.0, **options: Any) -> Optimizer:
    """Build an optimizer of timm by its name, such as lion, muon, adabelief or lookahead_radam.

    Args:
        params: Parameters, or groups of them such as `parameter_groups` makes.
        name: Name, one of ``timm.optim.list_optimizers()``, also with ``lookahead_`` before it.
        lr: Learning rate of groups without one.
        weight_decay: Weight decay of groups without one.
        options: Further arguments of the optimizer, such as ``betas``.

    Raises:
        ConfigError: There is no such optimizer, or it needs a package that is not installed.
    """
    from timm.optim import create_optimizer_v2, list_optimizers  # timm imports for a second

    known = list_optimizers()
    if name.removeprefix("lookahead_") not in known:
        similar = difflib.get_close_matches(name, known, n=3) or ["lion", "muon", "adabelief"]
        raise ConfigError(f"Invalid optimizer.name={name}: expected one of timm's, for example {', '.join(similar)}.")
    try:
        optimizer: Optimizer = create_optimizer_v2(params, opt=name, lr=lr, weight_decay=weight_decay, **options)
    except AssertionError as error:  # timm's check for the package that an optimizer needs
        raise ConfigError(f"optimizer.name={name} cannot be built: {error}.") from error
    return optimizer
