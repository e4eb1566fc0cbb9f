"""Any timm model as a network, with ImageNet weights from the Hugging Face hub or from a file."""

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

    The model keeps its three input channels, to which grey images are expanded, and the mean and standard deviation in
    its ``pretrained_cfg``: pretrained filters then receive the input that they were trained on.

    Args:
        name: Model name, one of ``timm.list_models()``.
        num_classes: Number of classes.
        image_size: Image height and width in pixels; transformers resample their position embeddings to it.
        pretrained: Whether to load ImageNet weights.
        weights: Path of a weights file in timm's key layout (.safetensors, .bin, .pth); None downloads from the hub.
        dropout: Dropout probability before the head.
        drop_path: Stochastic depth rate of models that have it; None keeps the model's default.
        suggested_lr: Learning rate for fine-tuning, kept as attribute ``suggested_lr`` of the network.

    Raises:
        ConfigError: There is no such model, or it does not accept one of the arguments.
        WeightsError: The weights cannot be loaded, or do not fit the model.
    """
    if not timm.is_model(name):
        similar = difflib.get_close_matches(name, timm.list_models(), n=3) or ["resnet18", "efficientnet_b0"]
        raise ConfigError(f"Invalid model.name={name}: expected a timm model, for example {', '.join(similar)}.")
    require(pretrained or weights is None, f"model.weights={weights} with model.pretrained=false", "only one of them")
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
    rng_state = torch.get_rng_state()
    try:
        untrained: nn.Module = timm.create_model(name, pretrained=False, **options)
    except TypeError as error:
        raise ConfigError(f"model.name={name} does not accept its options: {error}.") from error
    if not pretrained:
        return _with_suggested_lr(untrained, suggested_lr)
    torch.set_rng_state(rng_state)
    overlay = {"file": weights} if weights else None
    try:
        network: nn.Module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    except Exception as error:  # hub, file and key layout raise unrelated exception types
        raise WeightsError(_weights_message(name, weights, error)) from error
    _require_all_loaded(network, untrained, weights or name)
    return _with_suggested_lr(network, suggested_lr)


def _with_suggested_lr(network: Any, lr: float) -> nn.Module:
    network.suggested_lr = lr
    module: nn.Module = network
    return module


def _require_all_loaded(network: nn.Module, untrained: nn.Module, source: str) -> None:
    """Check that every tensor was loaded, since timm silently skips keys that a file lacks.

    ``untrained`` was initialised from the same random state: a tensor that equals its counterpart was not loaded.
    """
    head = {id(parameter) for parameter in network.get_classifier().parameters()}  # type: ignore[operator]
    missing = [
        name
        for name, parameter in network.named_parameters()
        if parameter.ndim > 1 and id(parameter) not in head and torch.equal(parameter, untrained.get_parameter(name))
    ]
    if missing:
        raise WeightsError(
            f"{source} does not fit the model: it lacks {len(missing)} of the model's weights, first {missing[0]}; "
            "give the weights of this model in timm's key layout."
        )


def _weights_message(name: str, weights: str | None, error: Exception) -> str:
    reason = " ".join(str(error).split()[:30]).rstrip(".:") or type(error).__name__
    if weights:
        return f"{weights} does not fit model.name={name}: {reason}. Give this model's weights in timm's key layout."
    return (
        f"The pretrained weights of model.name={name} could not be downloaded: {reason}. "
        "Give a local file with model.weights=PATH, or train from scratch with model.pretrained=false."
    )
