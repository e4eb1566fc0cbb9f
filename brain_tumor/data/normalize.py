"""The last step before a network: grey bytes become normalised floats, on the device they already are on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Normalize:
    """Scale uint8 to [0, 1], repeat grey to as many channels as there are means, centre and scale each channel."""

    mean: Sequence[float] = (0.5,)
    """Per channel, of images scaled to [0, 1]."""
    std: Sequence[float] = (0.5,)
    """Per channel."""
    _constants: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [B, 1, H, W] → float32 [B, C, H, W], where C = len(mean)."""
        if len(self.mean) == 1:  # by plain numbers, in place: twenty times faster on a CPU than by tensors of one
            return images.float().mul_(1 / (255 * self.std[0])).sub_(self.mean[0] / self.std[0])
        scale, shift = self._on(images.device)
        if images.device.type != "cpu":
            return (images * scale).add_(shift)
        batch, _, height, width = images.shape
        found = torch.empty(batch, len(self.mean), height, width)
        grey = found[:, 0].copy_(images[:, 0])
        for channel in reversed(range(len(self.mean))):  # one pass each, the grey values' own place last
            torch.add(shift[channel, 0, 0], grey, alpha=1 / (255 * self.std[channel]), out=found[:, channel])
        return found

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._constants:  # one copy to the device, not one a batch
            mean, std = (torch.tensor(tuple(value), device=device)[:, None, None] for value in (self.mean, self.std))
            self._constants[device] = (1 / (255 * std), -mean / std)
        return self._constants[device]
