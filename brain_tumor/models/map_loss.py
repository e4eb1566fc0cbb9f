"""The loss of a localizer's map against tumour masks."""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits

from brain_tumor.errors import require
from brain_tumor.types import UNKNOWN_MASK


def mask_channels(masks: Tensor) -> Tensor:
    """Split masks uint8 [B, S, S] (1 inside, 0 outside, or `UNKNOWN_MASK`) into float [B, 2, S, S]: inside, known."""
    return torch.stack([masks == 1, masks != UNKNOWN_MASK], dim=1).float()


class MapLoss(nn.Module):
    """Binary cross-entropy of all cells, and 1 − Dice of images with a tumour; images without a mask do not count.

    The target of a cell is the share of it that lies inside the mask; healthy images have an empty mask. Dice is
    computed with probabilities (Milletari 2016), per image.

    Args:
        bce: Weight of the cross-entropy, beside the loss of the classes.
        dice: Weight of 1 − Dice.
    """

    def __init__(self, bce: float = 5.0, dice: float = 1.0) -> None:
        super().__init__()
        require(min(bce, dice) >= 0, f"localizer.loss.bce={bce} with dice={dice}", "0 or more for both")
        self.bce, self.dice = bce, dice

    def forward(self, cells: Tensor, channels: Tensor) -> Tensor:
        """Compute the loss, a scalar: 0 if no mask of the batch is known.

        Args:
            cells: Logits of the map, float [B, h, w].
            channels: Masks as `mask_channels` gives them, float [B, 2, S, S]; mixup and cutmix may have mixed them.
        """
        target, known = adaptive_avg_pool2d(channels, (cells.shape[1], cells.shape[2])).unbind(dim=1)
        target, cells = target * known, cells.float()
        weights = known.sum((1, 2)).clamp_min(1)
        bce = (binary_cross_entropy_with_logits(cells, target, reduction="none") * known).sum((1, 2)) / weights
        counted = known.amax((1, 2)) > 0
        tumour = (target.sum((1, 2)) > 0) & (known.amin((1, 2)) == 1)
        probability = cells.sigmoid()
        overlap = 2 * (probability * target).sum((1, 2)) + 1
        dice = overlap / (probability.sum((1, 2)) + target.sum((1, 2)) + 1)
        return self.bce * _mean(bce, counted) + self.dice * _mean(1 - dice, tumour)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp_min(1)
