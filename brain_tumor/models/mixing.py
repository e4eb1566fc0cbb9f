"""Mixup and cutmix, on the device, of whole normalised batches."""

import torch
from torch import Tensor
from torchvision.transforms.v2 import CutMix, MixUp, RandomChoice

from brain_tumor.errors import require


class Mixing:
    """With both on, each batch is mixed one way or the other by a coin's throw (Zhang 2018, Yun 2019).

    Args:
        num_classes: Width of the mixed targets.
        mixup: Beta parameter of mixup, 0 is off.
        cutmix: Beta parameter of cutmix, 0 is off.

    Raises:
        ConfigError: A parameter below 0.
    """

    def __init__(self, num_classes: int, mixup: float = 0.0, cutmix: float = 0.0) -> None:
        require(min(mixup, cutmix) >= 0, f"augmentation.mixup={mixup} with cutmix={cutmix}", "0 or more for both")
        ways = [kind(alpha=alpha) for kind, alpha in ((MixUp, mixup), (CutMix, cutmix)) if alpha > 0]
        self._num_classes = num_classes
        self._mix = RandomChoice(ways) if ways else None

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """float [B, C, H, W] and int64 [B] → mixed images and, if anything mixes, class probabilities [B, classes]."""
        if self._mix is None:
            return images, labels
        # not one_hot, which looks for the largest label: a GPU would have to be waited for
        one_hot = (labels[:, None] == torch.arange(self._num_classes, device=labels.device)).float()
        mixed, targets = self._mix(images, one_hot)
        return torch.as_tensor(mixed), targets
