"""The small CNN: small, residual, made for grey slices."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from brain_tumor.errors import require

GREY = {"mean": (0.18,), "std": (0.2,)}
"""Rounded statistics of MR slices on a black ground, scaled to [0, 1]."""


class SmallCNN(nn.Module):
    """A residual network with squeeze-and-excitation: 0.32 million parameters at its default widths.

    Shortcuts average before they stride, so that nothing small is skipped (He 2019, ResNet-D); mean and maximum pooling
    together let the head see both the whole image and its most conspicuous spot.

    Args:
        num_classes: Outputs.
        widths: Channels of the stages; the stem quarters the resolution, every stage but the first halves it again.
        depth: Residual blocks a stage.
        dropout: Before the head.

    Raises:
        ConfigError: No stages, stages of less than 8 channels, or no blocks.
    """

    name = "small_cnn"
    suggested_lr = 4e-3

    def __init__(
        self,
        num_classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        depth: int = 1,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        require(isinstance(widths, Sequence) and min(widths) >= 8, f"model.widths={widths}", "a list of numbers from 8")
        require(depth >= 1, f"model.depth={depth}", "1 or more")
        self.pretrained_cfg = GREY
        self.stem = nn.Sequential(
            *_convolution(1, widths[0] // 2, kernel=5, stride=2),
            *_convolution(widths[0] // 2, widths[0], kernel=3, stride=2),
        )
        self.stages = nn.Sequential()
        inputs = widths[0]
        for number, outputs in enumerate(widths):
            first = Residual(inputs, outputs, stride=2 if number else 1)
            self.stages.append(nn.Sequential(first, *(Residual(outputs, outputs) for _ in range(depth - 1))))
            inputs = outputs
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * widths[-1], num_classes)
        self.feature_info = [
            {"module": f"stages.{len(widths) - 1}", "num_chs": widths[-1]}
        ]  # the last map, as timm does

    def forward(self, images: Tensor) -> Tensor:
        """Grey float [B, 1, H, W] → logits float [B, num_classes]."""
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: Tensor) -> Tensor:
        """Grey float [B, 1, H, W] → the last feature map float [B, widths[-1], h, w]."""
        return self.forward_intermediates(images)[0]

    def forward_intermediates(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Grey float [B, 1, H, W] → the last feature map float [B, widths[-1], h, w], and the maps of all stages."""
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[-1], maps[1:]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last feature map → logits, or what they are made of: float [B, 2 × widths[-1]]."""
        pooled = self.dropout(torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1))
        return pooled if pre_logits else self.head(pooled)  # type: ignore[no-any-return]

    def get_classifier(self) -> nn.Module:
        """The last linear layer."""
        return self.head

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Stem, then one group a stage."""
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class Residual(nn.Module):
    """Two 3 × 3 convolutions and a squeeze-and-excitation, around a shortcut (He 2016, Hu 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(inputs, outputs, kernel=3, stride=stride),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.excite = nn.Sequential(
            nn.Linear(outputs, outputs // 8), nn.ReLU(inplace=True), nn.Linear(outputs // 8, outputs), nn.Sigmoid()
        )
        pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
        self.shortcut = (
            nn.Identity()
            if stride == 1 and inputs == outputs
            else nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        """float [B, inputs, H, W] → [B, outputs, ⌈H / stride⌉, ⌈W / stride⌉]."""
        y = self.body(x)
        y = y * self.excite(y.mean((2, 3)))[:, :, None, None]
        return torch.relu(y + self.shortcut(x))
