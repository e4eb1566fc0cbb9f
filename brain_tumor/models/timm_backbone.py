"""Any timm model as a backbone, with ImageNet weights from the hub or from a file."""

import difflib
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from brain_tumor.errors import ConfigError, WeightsError, require


def timm_backbone(
    name: str,
    num_classes: int,
    image_size: int,
    pretrained: bool = True,
    weights: str | None = None,
    dropout: float = 0.0,
    drop_path: float | None = None,
    suggested_lr: float = 3e-4,
) -> nn.Module:
    """Build a timm model with a new head.

    It keeps its three input channels, onto which grey is repeated: the pretrained filters then see what they were
    trained for, with the mean and deviation in the model's own ``pretrained_cfg``.

    Args:
        name: Any name in ``timm.list_models()``.
        num_classes: Outputs.
        image_size: Side of the square images; transformers resample their position embeddings to it.
        pretrained: Start from ImageNet weights.
        weights: A file of them in timm's key layout (.safetensors, .bin, .pth); None asks the Hugging Face hub.
        dropout: Before the head.
        drop_path: Stochastic depth rate, for models that have it; None keeps the model's own.
        suggested_lr: Learning rate for fine-tuning, kept as the network's attribute ``suggested_lr``.

    Raises:
        ConfigError: There is no such model, or it does not take an argument given.
        WeightsError: The weights cannot be had or do not fit.
    """
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3) or ["resnet18", "efficientnet_b0"]
        raise ConfigError(f"model.name={name} is no timm model; near are {', '.join(near)}.")
    require(pretrained or weights is None, f"model.weights={weights} with model.pretrained=false", "one or the other")
    if weights is not None and not Path(weights).is_file():
        raise WeightsError(
            f"model.weights={weights} does not exist; give a file in timm's key layout, or leave model.weights out to "
            "download from the hub."
        )
    options: dict[str, Any] = {"num_classes": num_classes, "drop_rate": dropout}
    if drop_path is not None:
        options["drop_path_rate"] = drop_path
    if timm.get_pretrained_cfg_value(name, "fixed_input_size"):
        options["img_size"] = image_size
    state = torch.get_rng_state()
    try:
        blank: nn.Module = timm.create_model(name, pretrained=False, **options)
    except TypeError as error:
        raise ConfigError(f"model.name={name} does not take its options: {error}.") from error
    if not pretrained:
        return _with_suggestion(blank, suggested_lr)
    torch.set_rng_state(state)
    overlay = {"file": weights} if weights else None
    try:
        network: nn.Module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    except Exception as error:  # the hub, the file and the key layout each fail in their own ways
        raise WeightsError(_weights_message(name, weights, error)) from error
    _refuse_unloaded(network, blank, weights or name)
    return _with_suggestion(network, suggested_lr)


def _with_suggestion(network: Any, lr: float) -> nn.Module:
    network.suggested_lr = lr
    suggesting: nn.Module = network
    return suggesting


def _refuse_unloaded(network: nn.Module, blank: nn.Module, source: str) -> None:
    """Compare with a twin of the same random start: timm passes over keys that a file lacks without a word."""
    head = {id(parameter) for parameter in network.get_classifier().parameters()}  # type: ignore[operator]
    left = [
        name
        for name, parameter in network.named_parameters()
        if parameter.ndim > 1 and id(parameter) not in head and torch.equal(parameter, blank.get_parameter(name))
    ]
    if left:
        raise WeightsError(
            f"{source} does not fit the model: {len(left)} of its weights are not in there, first {left[0]}; "
            "give that model's weights in timm's key layout."
        )


def _weights_message(name: str, weights: str | None, error: Exception) -> str:
    reason = " ".join(str(error).split()[:30]).rstrip(".:") or type(error).__name__
    if weights:
        return f"{weights} does not fit model.name={name}: {reason}. Give that model's weights in timm's key layout."
    return (
        f"No pretrained weights for model.name={name} could be downloaded: {reason}. "
        "Give a local file with model.weights=PATH, or train from scratch with model.pretrained=false."
    )
