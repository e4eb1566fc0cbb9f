"""The reference CNN: the architecture of the study that this project started from, without its defects."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from brain_tumor.errors import require

CHANNEL_STATISTICS = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
"""The study used RGB images scaled to [0, 1], without standardisation."""


class ReferenceCNN(nn.Module):
    """Four convolutions of 8, 16, 32 and 64 filters (3 × 3, no padding, max-pooling 2), then 100 hidden units.

    At 256 px with two classes it has the study's 1,279,230 parameters. Unlike in the study, dropout is off at
    inference.

    Args:
        num_classes: Number of classes.
        image_size: Image height and width in pixels, at least 46; it determines the number of flattened features.

    Raises:
        ConfigError: The images are smaller than 46 pixels.
    """

    name = "reference_cnn"
    suggested_lr = 3e-4  # the study's

    def __init__(self, num_classes: int, image_size: int) -> None:
        super().__init__()
        require(image_size >= 46, f"model=reference_cnn at data.image_size={image_size}", "46 px or more")
        self.pretrained_cfg = CHANNEL_STATISTICS
        channels = (3, 8, 16, 32, 64)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.feature_info = [{"module": f"features.{len(layers) - 1}", "num_chs": channels[-1]}]  # last map, as in timm
        with torch.no_grad():
            flat = self.features(torch.zeros(1, 3, image_size, image_size)).shape[1]
        self.hidden = nn.Sequential(nn.Linear(flat, 100), nn.ReLU(inplace=True), nn.Dropout(0.25))
        self.head = nn.Linear(100, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits float [B, num_classes] of images float [B, 3, image_size, image_size]."""
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: Tensor) -> Tensor:
        """Compute the last feature map, flattened: float [B, F]."""
        return self.forward_intermediates(images)[0]

    def forward_intermediates(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute the last feature map, flattened to float [B, F], and the feature map after each pooling."""
        maps, x = [], images
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
        return x, maps

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Compute logits from the flattened feature map or, with ``pre_logits``, the hidden units float [B, 100]."""
        hidden = self.hidden(x)
        return hidden if pre_logits else self.head(hidden)  # type: ignore[no-any-return]

    def get_classifier(self) -> nn.Module:
        """Return the last linear layer."""
        return self.head

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return one group per convolution, then the hidden layer."""
        return {"stem": r"^features\.0\.", "blocks": [(r"^features\.(\d+)", None), (r"^hidden", (99,))]}
