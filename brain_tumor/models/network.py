"""What every backbone in this package offers to training, whoever wrote it."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class Network(Protocol):
    """A classifier of pictures: own CNN or any timm model; timm's interface where timm has one."""

    pretrained_cfg: Any
    """Mapping with ``mean`` and ``std`` per channel, of pictures scaled to [0, 1]."""

    def __call__(self, images: Tensor) -> Tensor:
        """float [B, C, H, W] → logits float [B, classes]."""

    def get_classifier(self) -> nn.Module:
        """The head: the last linear layer."""

    def group_matcher(self, coarse: bool = False) -> Any:
        """Regular expressions that sort parameter names into stages, as timm's ``group_parameters`` reads them."""


def channel_statistics(network: Network) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation per channel that the network was made for, of pictures scaled to [0, 1]."""
    return tuple(network.pretrained_cfg["mean"]), tuple(network.pretrained_cfg["std"])
