"""The localizer: a network that also draws a map of where it sees a tumour, and classifies by what lies there."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from brain_tumor.errors import ConfigError, require
from brain_tumor.models.features import has_stages, pooled
from brain_tumor.models.protocol import Outputs, heads, steps_below_head

_MAX_STAGES = 4
"""Largest number of feature maps that are joined."""


class LocalizedNetwork(nn.Module):
    """A backbone with a map of tumour evidence, as one network.

    Feature maps of several stages are reduced to ``width`` channels each by 1 × 1 convolutions, enlarged to the finest
    of them and added (Lin 2017, feature pyramids). A 3 × 3 convolution follows, and one logit per cell. The head sees
    what the backbone's own head would see (the whole image), and the mean of the joined features weighted by the map:
    what lies where the network sees a tumour.

    Args:
        backbone: Network with timm's ``forward_intermediates``; its classifier is removed.
        num_classes: Number of classes.
        example: Normalised images float [N, C, S, S] of the training's size, with which the widths are found.
        stride: Pixels per cell of the map: the finest feature map that is used is the first that has at least so many.
            Backbones whose feature maps all have one size (transformers) give three of them.
        width: Channels of the joined feature maps.
        dropout: Dropout probability before the head, of what lies where the map sees a tumour.

    Raises:
        ConfigError: The backbone gives no feature maps, or a setting is out of range.
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        example: Tensor,
        stride: int = 8,
        width: int = 96,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require(stride >= 1, f"localizer.stride={stride}", "a whole number from 1")
        require(width >= 1, f"localizer.width={width}", "a whole number from 1")
        if not has_stages(backbone, example):
            raise ConfigError(
                f"localizer=map needs a network that gives the feature maps of its stages, as timm's do, and "
                f"{type(backbone).__name__} does not (forward_intermediates, forward_head); choose another model, or "
                "localizer=none."
            )
        self.backbone = backbone
        self.suggested_lr = getattr(backbone, "suggested_lr", None)
        self.pretrained_cfg: Any = getattr(backbone, "pretrained_cfg", None)
        _remove_classifier(backbone)
        last, maps = _try(backbone, example[:1])
        self._chosen = _choose([tuple(each.shape[2:]) for each in maps], example.shape[-1], stride)
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(maps[index].shape[1], width, 1, bias=False), nn.BatchNorm2d(width))
            for index in self._chosen
        )
        self.join = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.cells = nn.Conv2d(width, 1, 1)
        nn.init.constant_(self.cells.bias, -3.0)  # type: ignore[arg-type]  # most cells hold no tumour
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(last.shape[1] + width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits float [B, num_classes] of images float [B, C, H, W]."""
        return self.outputs(images).logits

    def outputs(self, images: Tensor) -> Outputs:
        """Compute logits, map, and the means of the backbone's feature maps of images float [B, C, H, W]."""
        inputs, cells, stages = self._run(images)
        return Outputs(pooled(stages), self.head(inputs), cells)

    def get_classifier(self) -> nn.Module:
        """Return the last linear layer."""
        return self.head

    def steps_below_head(self) -> dict[str, int]:
        """Count the stages of the backbone between each parameter and the output; the localizer is part of the head."""
        below = {f"backbone.{name}": steps for name, steps in steps_below_head(self.backbone).items()}
        return {name: below.get(name, 0) for name, _ in self.named_parameters()}

    def _run(self, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        last, maps = self.backbone.forward_intermediates(images)  # type: ignore[operator]
        whole = self.backbone.forward_head(last).flatten(1)  # type: ignore[operator]
        finest, *coarser = (lateral(maps[index]) for lateral, index in zip(self.laterals, self._chosen, strict=True))
        for each in coarser:
            finest = finest + interpolate(each, finest.shape[2:])
        features = self.join(finest)
        cells = self.cells(features)
        weights = cells.sigmoid()
        there = (features * weights).sum((2, 3)) / weights.sum((2, 3)).clamp_min(1)
        return torch.cat([whole, self.dropout(there)], dim=1), cells[:, 0], maps


def _remove_classifier(backbone: nn.Module) -> None:
    """Replace the layers that compute logits, so that the head of the backbone gives their input."""
    own = {id(layer) for layer in heads(backbone)}
    for name, layer in list(backbone.named_modules()):
        if id(layer) in own:
            parent, _, attribute = name.rpartition(".")
            setattr(backbone.get_submodule(parent), attribute, nn.Identity())


def _try(backbone: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Compute the input of the removed classifier float [N, D], and the feature maps of the stages."""
    training = backbone.training
    try:
        with torch.no_grad():
            last, maps = backbone.eval().forward_intermediates(images)  # type: ignore[operator]
            return backbone.forward_head(last).flatten(1), maps  # type: ignore[operator]
    finally:
        backbone.train(training)


def _choose(sizes: Sequence[tuple[int, ...]], side: int, stride: int) -> list[int]:
    """Choose the feature maps to join, the finest first.

    Args:
        sizes: (height, width) of each feature map, in the order of the stages.
        side: Height and width of the images in pixels.
        stride: Fewest pixels per cell.
    """
    last_of_size = {size: index for index, size in enumerate(sizes)}
    if len(last_of_size) == 1:  # one size: three evenly spaced ones
        return sorted({round((len(sizes) - 1) * share) for share in (1 / 3, 2 / 3, 1)}, reverse=True)
    coarse_enough = [index for size, index in last_of_size.items() if side / size[0] >= stride * 0.99]
    return (coarse_enough or [len(sizes) - 1])[:_MAX_STAGES]
