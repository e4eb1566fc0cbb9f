"""Mixup and cutmix of normalised batches, on the device."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2 import CutMix, MixUp, RandomChoice

from brain_tumor.errors import require


class Mixing:
    """Mix the images of a batch by mixup (Zhang 2018) or cutmix (Yun 2019); with both enabled, each batch draws one.

    Args:
        num_classes: Number of classes.
        mixup: Beta parameter of mixup; 0 disables it.
        cutmix: Beta parameter of cutmix; 0 disables it.

    Raises:
        ConfigError: A parameter is below 0.
    """

    def __init__(self, num_classes: int, mixup: float = 0.0, cutmix: float = 0.0) -> None:
        require(min(mixup, cutmix) >= 0, f"augmentation.mixup={mixup} with cutmix={cutmix}", "0 or more for both")
        transforms = [kind(alpha=alpha) for kind, alpha in ((MixUp, mixup), (CutMix, cutmix)) if alpha > 0]
        self._num_classes = num_classes
        self._mix = RandomChoice(transforms) if transforms else None

    def with_masks(self, images: Tensor, labels: Tensor, channels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mix a batch with its masks, which are mixed as the images are.

        Args:
            images: Images float [B, C, H, W].
            labels: Class indices int64 [B].
            channels: Masks as `brain_tumor.models.map_loss.mask_channels` gives them, float [B, 2, H', W'].

        Returns:
            Images and targets as without masks, and channels float [B, 2, H, W]; inputs unchanged without mixing.
        """
        if self._mix is None:
            return images, labels, channels
        colours = images.shape[1]
        sized = interpolate(channels, images.shape[2:], mode="area")
        together, targets = self(torch.cat([images, sized.to(images.dtype)], dim=1), labels)
        return together[:, :colours], targets, together[:, colours:]

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mix a batch.

        Args:
            images: Images float [B, C, H, W].
            labels: Class indices int64 [B].

        Returns:
            Mixed images and class probabilities float [B, classes]; both inputs unchanged if mixing is disabled.
        """
        if self._mix is None:
            return images, labels
        # not `one_hot`: it reads the largest label, which makes the CPU wait for the GPU
        one_hot = (labels[:, None] == torch.arange(self._num_classes, device=labels.device)).float()
        mixed, targets = self._mix(images, one_hot)
        return torch.as_tensor(mixed), targets
