"""What training needs of a network, and how far each of its parameters is from the head."""

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from timm.models import group_parameters
from torch import Tensor, nn

STAGES = 5
"""Feature maps that features are made of, at most."""


@runtime_checkable
class Network(Protocol):
    """A classifier of images: small CNN or any timm model; timm's interface where timm has one.

    It may have an attribute ``suggested_lr``: the learning rate that ``optimizer.lr=auto`` takes.
    """

    pretrained_cfg: Any
    """Mapping with ``mean`` and ``std`` per channel, of images scaled to [0, 1]."""

    def __call__(self, images: Tensor) -> Tensor:
        """float [B, C, H, W] → logits float [B, classes]."""

    def forward_intermediates(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """float [B, C, H, W] → what the head takes, and the maps float [B, c, h, w] of all stages on the way."""

    def forward_features(self, images: Tensor) -> Tensor:
        """float [B, C, H, W] → what the head takes."""

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """What the head takes → logits float [B, classes], or what its last linear layer takes."""

    def get_classifier(self) -> nn.Module:
        """The head: the last linear layer."""

    def group_matcher(self, coarse: bool = False) -> Any:
        """Regular expressions that sort parameter names into stages, as timm's ``group_parameters`` reads them."""


def channel_statistics(network: Network) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation per channel that the network was made for, of images scaled to [0, 1]."""
    return tuple(network.pretrained_cfg["mean"]), tuple(network.pretrained_cfg["std"])


def features_and_logits(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features float [B, D] and logits float [B, classes], in one pass; in evaluation logits are ``network(images)``.

    Features are the mean of each channel over the last feature map of each stage (of deep stacks of equal blocks, of at
    most `STAGES`, evenly spaced). Early stages know textures and late ones shapes: to tell OOD images, all help.

    Args:
        network: See `Network`.
        images: float [B, C, H, W], normalised.
    """
    last, maps = network.forward_intermediates(images)  # type: ignore[operator]
    chosen: list[Tensor] = maps[:: -math.ceil(len(maps) / STAGES)]
    logits: Tensor = network.forward_head(last)  # type: ignore[operator]
    return torch.cat([one.mean((2, 3)) for one in chosen], dim=1), logits


def steps_below_head(network: nn.Module) -> dict[str, int]:
    """Steps from each parameter up to the head: 0 for the head itself, 1 for the last stage, most for the stem.

    Args:
        network: See `brain_tumor.models.protocol.Network`.
    """
    head = {id(parameter) for parameter in network.get_classifier().parameters()}  # type: ignore[operator]
    depths: dict[str, int] = group_parameters(network, network.group_matcher(coarse=False), reverse=True)  # type: ignore[operator]
    deepest = max(depth for name, depth in depths.items() if id(network.get_parameter(name)) not in head)
    return {
        name: 0 if id(network.get_parameter(name)) in head else deepest - depth + 1 for name, depth in depths.items()
    }
