"""Several networks as one: their calibrated probabilities and their maps are averaged."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from brain_tumor.models.features import all_outputs
from brain_tumor.models.protocol import Outputs


class Member(NamedTuple):
    """One network of an ensemble, and how it was trained."""

    network: nn.Module
    """Network that takes normalised images of the ensemble's size."""
    mean: Sequence[float]
    """Mean per channel that it expects, of images scaled to [0, 1]."""
    std: Sequence[float]
    """Standard deviation per channel that it expects, of images scaled to [0, 1]."""
    temperature: float
    """Divisor of its logits, chosen on its validation."""


class EnsembleNetwork(nn.Module):
    """The average of several networks; its softmax is the mean of their calibrated probabilities.

    Its features are those of all members followed by their logits, one member after the other, so that the detectors
    of the members can be applied. It has a map if all members have one: the logit of the mean of their probabilities.

    Args:
        members: Networks with the same classes; maps are enlarged to the size of the one with the most cells.
        mirrored: Whether each network also sees the image mirrored left–right, which counts as much as the image.
    """

    def __init__(self, members: Sequence[Member], mirrored: bool = False) -> None:
        super().__init__()
        self.members = nn.ModuleList(member.network for member in members)
        self.pretrained_cfg = {"mean": (0.0,), "std": (1.0,)}
        self._temperatures, self._mirrored = [member.temperature for member in members], mirrored
        for number, member in enumerate(members):
            for name, values in (("mean", member.mean), ("std", member.std)):
                self.register_buffer(f"{name}_{number}", torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits float [B, classes] of grey images float [B, 1, H, W], scaled to [0, 1]."""
        return self.outputs(images).logits

    def outputs(self, images: Tensor) -> Outputs:
        """Compute features, logits and maps of grey images float [B, 1, H, W], scaled to [0, 1]."""
        found = self._of_members(images)
        features = torch.cat([part for each in found for part in (each.features, each.logits)], dim=1)
        if self._mirrored:
            found += [
                each._replace(map=None if each.map is None else each.map.flip(-1))
                for each in self._of_members(images.flip(-1))
            ]
        temperatures = self._temperatures * (1 + self._mirrored)
        scaled = [each.logits / temperature for each, temperature in zip(found, temperatures, strict=True)]
        logits = torch.stack([each.log_softmax(dim=1) for each in scaled]).logsumexp(dim=0)
        maps = _of_one_size([each.map.sigmoid() for each in found if each.map is not None])
        cells = torch.stack(maps).mean(dim=0).clamp(1e-6, 1 - 1e-6).logit() if len(maps) == len(found) else None
        return Outputs(features, logits, cells)

    def _of_members(self, images: Tensor) -> list[Outputs]:
        return [
            all_outputs(network, (images - getattr(self, f"mean_{number}")) / getattr(self, f"std_{number}"))
            for number, network in enumerate(self.members)
        ]


def _of_one_size(maps: list[Tensor]) -> list[Tensor]:
    """Enlarge maps float [B, h, w] to the size of the one with the most cells."""
    largest = max((each.shape[1:] for each in maps), key=lambda shape: shape[0] * shape[1], default=None)
    return [
        each if each.shape[1:] == largest else interpolate(each[:, None], largest, mode="bilinear")[:, 0]
        for each in maps
    ]
