"""Losses of logits against class indices or, after mixup and cutmix, class probabilities."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from brain_tumor.errors import require


class CrossEntropy(nn.Module):
    """Cross-entropy in nats, with label smoothing and class weights.

    Args:
        smoothing: Fraction of the target probability spread evenly over all classes, in [0, 1).
        class_weights: Weight of each class, or None for equal weights.
    """

    weight: Tensor | None

    def __init__(self, smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        require(0 <= smoothing < 1, f"loss.smoothing={smoothing}", "a number from 0 to less than 1")
        self.smoothing = smoothing
        self.register_buffer("weight", None if class_weights is None else torch.tensor(class_weights), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the mean loss, a scalar.

        Args:
            logits: Logits [B, C].
            target: Class indices int64 [B], or class probabilities float [B, C].
        """
        return F.cross_entropy(logits, target, self.weight, label_smoothing=self.smoothing)


class Focal(nn.Module):
    """Focal loss: the cross-entropy of each class times (1 − p)^gamma, which emphasises hard examples (Lin 2017).

    With gamma 0 it is the weighted sum of cross-entropies over the batch, divided by the batch size.

    Args:
        gamma: Exponent of (1 − p), at least 0.
        class_weights: Weight of each class, or None for equal weights.
    """

    weight: Tensor | None

    def __init__(self, gamma: float = 2.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        require(gamma >= 0, f"loss.gamma={gamma}", "0 or more")
        self.gamma = gamma
        self.register_buffer("weight", None if class_weights is None else torch.tensor(class_weights), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compute the mean loss, a scalar.

        Args:
            logits: Logits [B, C].
            target: Class indices int64 [B], or class probabilities float [B, C].
        """
        if not target.is_floating_point():
            target = F.one_hot(target, logits.shape[1]).to(logits.dtype)
        log_p = F.log_softmax(logits, dim=1)
        complement = (1 - log_p.exp()).clamp_min(1e-6)  # at 0 the gradient is infinite for gamma below 1
        loss = -target * complement**self.gamma * log_p
        return (loss if self.weight is None else loss * self.weight).sum(dim=1).mean()
