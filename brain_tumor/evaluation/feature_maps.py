"""Where a network keeps its last map of features, and which way round that map lies."""

import math
from typing import Any

from torch import Tensor, nn


def map_layer(network: nn.Module) -> nn.Module | None:
    """The layer whose output is the last that has places, None if it cannot be told.

    That is the last in timm's ``feature_info``, but for two kinds of transformers. Where a layer norm follows (Swin) it
    is that norm: what enters it can be scaled at any place without changing anything behind, so that features times
    their gradient add up to nothing there. Where only a class token is read out (ViT) it is what enters the last
    attention: behind it no patch has any part in the answer.
    """
    blocks = getattr(network, "blocks", None)
    if getattr(network, "global_pool", None) == "token" and isinstance(blocks, nn.Sequential):
        entering = getattr(blocks[-1], "norm1", None)
        return entering if isinstance(entering, nn.Module) else None
    norm = getattr(network, "norm", None)
    if isinstance(norm, nn.Module) and not isinstance(norm, nn.Identity):
        return norm
    try:
        return network.get_submodule(_last(network).get("module") or "nowhere")
    except AttributeError:
        return None


def as_maps(output: Any, network: nn.Module) -> Tensor | None:
    """A layer's output as [B, channels, h, w], whichever way round it is; None if it is no map.

    It may be [B, channels, h, w], [B, h, w, channels], or [B, tokens, channels] with the tokens of a square picture
    after ``num_prefix_tokens`` others.
    """
    channels = _last(network).get("num_chs")
    if not isinstance(output, Tensor) or channels is None:
        return None
    if output.ndim == 4 and output.shape[1] == channels:
        return output
    if output.ndim == 3 and output.shape[2] == channels:
        patches = output[:, getattr(network, "num_prefix_tokens", 0) :]
        side = math.isqrt(patches.shape[1])
        if side and side**2 == patches.shape[1]:
            output = patches.reshape(len(patches), side, side, channels)
    return output.permute(0, 3, 1, 2) if output.ndim == 4 and output.shape[3] == channels else None


def _last(network: nn.Module) -> dict[str, Any]:
    """What timm's ``feature_info`` says of the last map."""
    entries = getattr(network, "feature_info", None) or [{}]
    return dict(entries[-1])
