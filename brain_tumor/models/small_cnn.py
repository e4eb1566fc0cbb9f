"""The small CNN: a residual network of 0.3 million parameters for grey slices."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from brain_tumor.errors import require
from brain_tumor.models.protocol import GREY_STATISTICS


class SmallCNN(nn.Module):
    """A residual network with squeeze-and-excitation: 0.32 million parameters at its default widths.

    Shortcuts average before they subsample, so that no pixel is skipped (He 2019, ResNet-D). The head receives mean
    and maximum pooling: the whole image and its strongest response.

    Args:
        num_classes: Number of classes.
        widths: Channels of the stages; the stem quarters the resolution, every stage but the first halves it again.
        depth: Residual blocks per stage.
        dropout: Dropout probability before the head.

    Raises:
        ConfigError: There is no stage, a stage has fewer than 8 channels, or ``depth`` is below 1.
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
        numbers = widths if isinstance(widths, list | tuple) and all(isinstance(n, int) for n in widths) else ()
        require(min(numbers, default=0) >= 8, f"model.widths={widths}", "a list of numbers from 8")
        require(depth >= 1, f"model.depth={depth}", "1 or more")
        self.pretrained_cfg = GREY_STATISTICS
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
        self.feature_info = [{"module": f"stages.{len(widths) - 1}", "num_chs": widths[-1]}]  # last map, as in timm

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits float [B, num_classes] of grey images float [B, 1, H, W]."""
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: Tensor) -> Tensor:
        """Compute the last feature map float [B, widths[-1], h, w]."""
        return self.forward_intermediates(images)[0]

    def forward_intermediates(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute the last feature map float [B, widths[-1], h, w], and the feature maps of all stages."""
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[-1], maps[1:]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Compute logits from the last feature map or, with ``pre_logits``, its pooling float [B, 2 × widths[-1]]."""
        pooled = self.dropout(torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1))
        return pooled if pre_logits else self.head(pooled)  # type: ignore[no-any-return]

    def get_classifier(self) -> nn.Module:
        """Return the last linear layer."""
        return self.head

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return the stem, then one group per stage."""
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}


class Residual(nn.Module):
    """Two 3 × 3 convolutions with squeeze-and-excitation and a shortcut (He 2016, Hu 2018).

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        stride: Factor by which height and width shrink.
    """

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
        """Map float [B, inputs, H, W] to float [B, outputs, ⌈H / stride⌉, ⌈W / stride⌉]."""
        y = self.body(x)
        y = y * self.excite(y.mean((2, 3)))[:, :, None, None]
        return torch.relu(y + self.shortcut(x))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
