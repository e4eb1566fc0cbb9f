"""The interface that training and evaluation expect of a network, and helpers that work with any such network."""

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

MAX_FEATURE_STAGES = 5
"""Largest number of stages whose feature maps are pooled into features."""


@runtime_checkable
class Network(Protocol):
    """An image classifier with timm's interface: the small CNN, the reference CNN, or any timm model.

    It may have an attribute ``suggested_lr``: the learning rate for ``optimizer.lr=auto``.
    """

    pretrained_cfg: Any
    """Mapping with ``mean`` and ``std`` per channel, of images scaled to [0, 1]."""

    def __call__(self, images: Tensor) -> Tensor:
        """Compute logits float [B, classes] of images float [B, C, H, W]."""

    def forward_intermediates(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute the input of the head, and the feature maps float [B, c, h, w] of all stages, first stage first."""

    def forward_features(self, images: Tensor) -> Tensor:
        """Compute the input of the head from images float [B, C, H, W]."""

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Compute logits float [B, classes] or, with ``pre_logits``, the input of the last linear layer."""

    def get_classifier(self) -> nn.Module:
        """Return the head: the last linear layer."""

    def group_matcher(self, coarse: bool = False) -> Any:
        """Return regular expressions that assign parameters to stages, in the format of timm's ``group_parameters``."""


def channel_statistics(network: Network) -> tuple[Sequence[float], Sequence[float]]:
    """Return the mean and standard deviation per channel that the network expects, of images scaled to [0, 1]."""
    return tuple(network.pretrained_cfg["mean"]), tuple(network.pretrained_cfg["std"])


def features_and_logits(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Compute features float [B, D] and logits float [B, classes] in one pass.

    Features are the mean of each channel over the last feature map of each stage. Of networks with more than
    `MAX_FEATURE_STAGES` feature maps (deep stacks of equal blocks) an evenly spaced subset is used. Early stages
    describe textures and late stages shapes; OOD detection needs both. In evaluation mode the logits equal
    ``network(images)``.

    Args:
        network: Network that follows `Network`.
        images: Normalised images float [B, C, H, W].
    """
    last, maps = network.forward_intermediates(images)  # type: ignore[operator]
    selected: list[Tensor] = maps[:: -math.ceil(len(maps) / MAX_FEATURE_STAGES)]
    logits: Tensor = network.forward_head(last)  # type: ignore[operator]
    return torch.cat([feature_map.mean((2, 3)) for feature_map in selected], dim=1), logits


def steps_below_head(network: nn.Module) -> dict[str, int]:
    """Count the stages between each parameter and the output: 0 for the head, 1 for the last stage, most for the stem.

    Args:
        network: Network that follows `Network`.

    Returns:
        Parameter name → number of stages.
    """
    from timm.models import group_parameters  # imports wandb where that is installed: not for serving

    head = {id(parameter) for parameter in network.get_classifier().parameters()}  # type: ignore[operator]
    depths: dict[str, int] = group_parameters(network, network.group_matcher(coarse=False), reverse=True)  # type: ignore[operator]
    deepest = max(depth for name, depth in depths.items() if id(network.get_parameter(name)) not in head)
    return {
        name: 0 if id(network.get_parameter(name)) in head else deepest - depth + 1 for name, depth in depths.items()
    }
