"""Features of images for OOD detection, from any network."""

import math
import threading
from typing import Any

import torch
from torch import Tensor, nn

from brain_tumor.models.protocol import AllOutputs, Outputs, TimmNetwork, heads

MAX_FEATURE_STAGES = 5
"""Largest number of stages whose feature maps are pooled into features."""


def features_and_logits(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Compute features float [B, D] and logits float [B, classes] in one pass.

    Features are the mean of each channel over the last feature map of each stage. Of networks with more than
    `MAX_FEATURE_STAGES` feature maps (deep stacks of equal blocks) an evenly spaced subset is used. Early stages
    describe textures and late stages shapes; OOD detection needs both. Networks that do not give their stages have the
    input of the last linear layer as features. In evaluation mode the logits equal ``network(images)``.

    Args:
        network: Network that follows `Network`.
        images: Normalised images float [B, C, H, W].
    """
    if not has_stages(network, images):
        return _head_input_and_logits(network, images)
    last, maps = network.forward_intermediates(images)  # type: ignore[operator]
    logits: Tensor = network.forward_head(last)  # type: ignore[operator]
    return pooled(maps), logits


def all_outputs(network: nn.Module, images: Tensor) -> Outputs:
    """Compute features, logits and, of a localizer, the map of normalised images float [B, C, H, W] in one pass."""
    if isinstance(network, AllOutputs):
        return network.outputs(images)
    return Outputs(*features_and_logits(network, images), None)


def pooled(maps: list[Tensor]) -> Tensor:
    """Average each channel of the feature maps of all stages, or of an evenly spaced subset: float [B, D]."""
    return torch.cat([feature_map.mean((2, 3)) for feature_map in _selected(maps)], dim=1)


def _selected(maps: list[Tensor]) -> list[Tensor]:
    return maps[:: -math.ceil(len(maps) / MAX_FEATURE_STAGES)]


def has_stages(network: nn.Module, images: Tensor) -> bool:
    """Return whether a network gives the feature maps of its stages; found out once, with the first of the images."""
    known = network.__dict__.get("_has_stages")
    if known is None:
        training = network.training
        network.eval()
        try:
            with torch.no_grad():
                known = _gives_stages(network, images[:1])
        finally:
            network.train(training)
        network.__dict__["_has_stages"] = known
    return bool(known)


def _gives_stages(network: nn.Module, images: Tensor) -> bool:
    """Try timm's methods: they must yield maps, and the logits of the network itself."""
    if not isinstance(network, TimmNetwork):
        return False
    try:
        last, maps = network.forward_intermediates(images)
        logits = network.forward_head(last)
    except Exception:  # some timm models have these methods and cannot be called so
        return False
    is_map = [isinstance(each, Tensor) and each.ndim == 4 for each in maps]
    expected = network(images)
    same = isinstance(logits, Tensor) and logits.shape == expected.shape
    return bool(maps) and all(is_map) and same and torch.allclose(logits, expected, rtol=1e-3, atol=1e-4)


class _HeadInput(threading.local):
    """Input of the head in the present call; each thread has its own."""

    wanted = False
    value: Tensor | None = None


_head_input = _HeadInput()
_registering = threading.Lock()


def _keep_input(_layer: nn.Module, inputs: tuple[Any, ...]) -> None:
    if _head_input.wanted:
        _head_input.value = inputs[0]


def _head_input_and_logits(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    head = next(iter(heads(network)), None)
    if head is not None:
        with _registering:
            if _keep_input not in head._forward_pre_hooks.values():
                head.register_forward_pre_hook(_keep_input)
    _head_input.wanted, _head_input.value = True, None
    try:
        logits: Tensor = network(images)
        features = logits if _head_input.value is None else _head_input.value
    finally:
        _head_input.wanted, _head_input.value = False, None
    if features.ndim == 4:  # a head that is a convolution
        features = features.mean((2, 3))
    return features.flatten(1), logits
