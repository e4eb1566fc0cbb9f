"""Run a new network once: is its output that of a classifier, and which layer computes its last feature map?"""

from typing import Any

import torch
from torch import Tensor, nn

from brain_tumor.errors import ConfigError


def dry_run(network: nn.Module, *, channels: int, image_size: int, num_classes: int) -> None:
    """Check a network on two blank images, and note its last feature map in ``feature_info`` if it has none.

    It computes in evaluation mode and draws no random numbers from the training's stream. Lazy layers get their sizes.

    Args:
        network: Network that follows `brain_tumor.models.protocol.Network`.
        channels: Number of input channels.
        image_size: Height and width of the images in pixels.
        num_classes: Number of classes.

    Raises:
        ConfigError: It does not take such images, or does not return logits float [B, classes].
    """
    maps: list[tuple[str, Any]] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, _inputs, output, name=name: maps.append((name, output)))
        for name, layer in network.named_modules()
        if name and not hasattr(network, "feature_info")
    ]
    modes = {layer: layer.training for layer in network.modules()}
    shape = f"[2, {channels}, {image_size}, {image_size}]"
    network.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            output = network(torch.zeros(2, channels, image_size, image_size))
    except Exception as error:  # whatever the network raises
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise ConfigError(
            f"{type(network).__name__} does not take images float {shape}: {reason}. Set data.image_size to a size "
            "that it takes, and its number of input channels to that of pretrained_cfg, else 1 or 3."
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        for layer, training in modes.items():
            layer.training = training
    if not isinstance(output, Tensor) or output.shape != (2, num_classes):
        found = f"float {list(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise ConfigError(
            f"{type(network).__name__} returns {found} for images float {shape}: expected logits float "
            f"[2, {num_classes}], one per class."
        )
    if located := [(name, each.shape[1]) for name, each in maps if _has_locations(each)]:
        name, width = located[-1]
        network.feature_info = [{"module": name, "num_chs": width}]  # type: ignore[assignment]


def training_dry_run(network: nn.Module, *, channels: int, image_size: int, batch_size: int, setting: str) -> None:
    """Run blank images through a network in training mode, which changes its running statistics.

    Args:
        network: Network that has passed `dry_run`; it stays in training mode.
        channels: Number of input channels.
        image_size: Height and width of the images in pixels.
        batch_size: Number of images of the smallest training batch.
        setting: What makes it that small, for messages: ``data.batch_size=1``.

    Raises:
        ConfigError: A layer would normalise a single value, or the network returns something else than in evaluation.
    """
    network.train()
    try:
        with torch.no_grad():
            output: Any = network(torch.zeros(min(batch_size, 2), channels, image_size, image_size))
    except Exception as error:  # whatever the network raises
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        if "more than 1 value per channel" in reason:  # of torch's batch_norm
            raise ConfigError(
                f"{setting}: a batch norm of {type(network).__name__} would see one value per channel at {image_size} "
                "px and could not normalise it; expected 2 images or more per step and process."
            ) from error
        raise ConfigError(
            f"{type(network).__name__} fails in training for {min(batch_size, 2)} images of {image_size} px: {reason}."
        ) from error
    if not isinstance(output, Tensor):
        raise ConfigError(
            f"{type(network).__name__} returns {type(output).__name__} in training: expected logits float "
            "[B, classes] alone; switch its further outputs off."
        )


def _has_locations(output: Any) -> bool:
    return isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1
