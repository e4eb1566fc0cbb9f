"""The interface that training and evaluation expect of a network: its channels, its head and its stages."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from brain_tumor.errors import ConfigError

IMAGENET_STATISTICS = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""Mean and standard deviation per channel of ImageNet, of images scaled to [0, 1]."""
GREY_STATISTICS = {"mean": (0.18,), "std": (0.2,)}
"""Rounded mean and standard deviation of MR slices on black background, scaled to [0, 1]."""


class Network(Protocol):
    """An image classifier: any ``nn.Module`` that computes logits float [B, classes] of images float [B, C, H, W].

    Everything else is optional; `TimmNetwork` has all of it but the first:

    - ``suggested_lr``: learning rate for ``optimizer.lr=auto``.
    - ``pretrained_cfg``: mapping with ``mean`` and ``std`` per channel, of images scaled to [0, 1]. Without it the
      first convolution tells the number of channels: three get the statistics of ImageNet, one those of MR slices.
    - timm's methods, for features of all stages (OOD detection), layer-wise learning rates and freezing. Without them
      the features are the input of the last linear layer, and the direct children are the stages.
    """

    def __call__(self, images: Tensor) -> Tensor:
        """Compute logits float [B, classes] of images float [B, C, H, W]."""


@runtime_checkable
class TimmNetwork(Network, Protocol):
    """A network with timm's interface: the small CNN, the reference CNN, or nearly any timm model."""

    pretrained_cfg: Any
    """Mapping with ``mean`` and ``std`` per channel, of images scaled to [0, 1]."""

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


class Outputs(NamedTuple):
    """All that a network computes of B images in one pass."""

    features: Tensor
    """float [B, D], for OOD detection, see `brain_tumor.models.features.features_and_logits`."""
    logits: Tensor
    """float [B, classes]."""
    map: Tensor | None
    """Logit of each cell of a grid over the image, float [B, h, w]: does it hold tumour? None without a localizer."""


@runtime_checkable
class AllOutputs(Network, Protocol):
    """A network that computes its features itself, and perhaps a map: a localizer, or an ensemble."""

    def outputs(self, images: Tensor) -> Outputs:
        """Compute features, logits (those of the network itself) and the map of images float [B, C, H, W]."""


@runtime_checkable
class Localizer(AllOutputs, Protocol):
    """A network that also maps where it sees a tumour, such as `brain_tumor.models.localizer.LocalizedNetwork`."""

    def steps_below_head(self) -> dict[str, int]:
        """Return what the function `steps_below_head` does."""


def backbone_of(network: nn.Module) -> nn.Module:
    """Return the network that a localizer was built on; a network without one as it is."""
    backbone = getattr(network, "backbone", None)
    return backbone if isinstance(network, Localizer) and isinstance(backbone, nn.Module) else network


def channel_statistics(network: nn.Module) -> tuple[Sequence[float], Sequence[float]]:
    """Return the mean and standard deviation per channel that the network expects, of images scaled to [0, 1].

    Raises:
        ConfigError: Nothing tells them for this number of channels.
    """
    known: Any = getattr(network, "pretrained_cfg", None)
    if known is None:
        channels = next((layer.in_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)), 1)
        known = {1: GREY_STATISTICS, 3: IMAGENET_STATISTICS}.get(channels)
        if known is None:
            raise ConfigError(
                f"The network takes {channels} channels, and nothing tells their mean and standard deviation; give it "
                'an attribute pretrained_cfg = {"mean": […], "std": […]} with one value per channel.'
            )
    return tuple(known["mean"]), tuple(known["std"])


def memory_format(network: nn.Module) -> torch.memory_format:
    """Return the memory format to compute in: channels last, in which convolutions are faster, where that is safe.

    On CPUs, torch (2.15) writes beyond its memory in the backward pass of a 1 × 1 convolution with a stride and 2 to 4
    input channels in that format, such as the stem of FastViT; it then crashes or hangs.
    """
    convolutions = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    unsafe = any(
        layer.kernel_size == (1, 1) and layer.stride != (1, 1) and 2 <= layer.in_channels < 8 for layer in convolutions
    )
    return torch.contiguous_format if unsafe else torch.channels_last


def heads(network: nn.Module) -> list[nn.Module]:
    """Return the layers that compute logits: timm's classifiers (distilled ones have two), else the last linear layer.

    Empty for a network without any linear layer.
    """
    if hasattr(network, "get_classifier"):
        found = network.get_classifier()  # type: ignore[operator]
        layers: Iterable[Any] = [found] if isinstance(found, nn.Module) else found or []
        return [layer for layer in layers if isinstance(layer, nn.Module) and any(True for _ in layer.parameters())]
    linear: list[nn.Module] = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return linear[-1:]


def steps_below_head(network: nn.Module) -> dict[str, int]:
    """Count the stages between each parameter and the output: 0 for the head, 1 for the last stage, most for the stem.

    Args:
        network: Network that follows `Network`.

    Returns:
        Parameter name → number of stages.
    """
    if isinstance(network, Localizer):
        return network.steps_below_head()
    depths = _depths(network)
    head = {id(parameter) for layer in heads(network) for parameter in layer.parameters()}
    deepest = max((depth for name, depth in depths.items() if id(network.get_parameter(name)) not in head), default=0)
    return {
        name: 0 if id(network.get_parameter(name)) in head else deepest - depth + 1 for name, depth in depths.items()
    }


def _depths(network: nn.Module) -> dict[str, int]:
    """Number of each parameter's stage, counted from the input: by timm's groups, else by the network's children."""
    if hasattr(network, "group_matcher"):
        from timm.models import group_parameters  # imports wandb where that is installed: not for serving

        depths: dict[str, int] = group_parameters(network, network.group_matcher(coarse=False), reverse=True)  # type: ignore[operator]
        return depths
    with_parameters = [name for name, child in network.named_children() if any(True for _ in child.parameters())]
    return {
        name: with_parameters.index(name.partition(".")[0]) + 1 if "." in name else 0
        for name, _ in network.named_parameters()
    }
