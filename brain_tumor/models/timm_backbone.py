"""Any timm model as a network, with weights from the Hugging Face hub, a local folder or a file."""

import difflib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from statistics import fmean
from typing import Any

import timm
import torch
from timm.models import load_model_config_from_hf
from torch import nn

from brain_tumor.errors import ConfigError, WeightsError, require
from brain_tumor.models.hub import one_try
from brain_tumor.models.protocol import heads

SOURCES = ("hf-hub:", "hf_hub:", "local-dir:")
"""Beginnings of names of networks that are not built into timm: on the Hugging Face hub, or in a local folder."""

_WITHOUT_HUB = "give a local file (model.weights=PATH), or train from scratch (model.pretrained=false)"

_ARGUMENTS = ("num_classes", "drop_rate", "in_chans", "img_size")
"""Arguments of timm's models that have a key of their own here."""


def timm_backbone(
    name: str,
    num_classes: int,
    image_size: int,
    pretrained: bool = True,
    weights: str | None = None,
    in_chans: int = 3,
    dropout: float = 0.0,
    drop_path: float | None = None,
    model_args: Mapping[str, Any] | None = None,
    suggested_lr: float = 3e-4,
) -> nn.Module:
    """Build a timm model with a new head.

    Grey images are expanded to its input channels. With three, the default, they are standardised by the mean and
    standard deviation in its ``pretrained_cfg``, so that pretrained filters receive the input that they were trained
    on; with another number, timm sums or repeats those filters, and all channels share one mean and deviation.

    Args:
        name: Model name, one of ``timm.list_models()``; ``hf-hub:USER/NAME``; or ``local-dir:PATH``, a folder in timm's
            layout (``config.json`` and weights).
        num_classes: Number of classes.
        image_size: Image height and width in pixels; transformers resample their position embeddings to it.
        pretrained: Whether to load ImageNet weights.
        weights: Path of a weights file in timm's key layout (.safetensors, .bin, .pth), or of a folder that holds
            ``NAME.safetensors``; None downloads from the hub.
        in_chans: Number of input channels.
        dropout: Dropout probability before the head.
        drop_path: Stochastic depth rate of models that have it; None keeps the model's default.
        model_args: Further arguments of ``timm.create_model``.
        suggested_lr: Learning rate for fine-tuning, kept as attribute ``suggested_lr`` of the network.

    Returns:
        The network; if its name starts with one of `SOURCES`, its attribute ``resolved_arguments`` holds the arguments
        that build it without that source.

    Raises:
        ConfigError: There is no such model, or it does not accept one of the arguments.
        WeightsError: The weights or the description of the model cannot be loaded, or do not fit.
    """
    require(isinstance(in_chans, int) and in_chans >= 1, f"model.in_chans={in_chans}", "a whole number from 1")
    require(pretrained or weights is None, f"model.weights={weights} with model.pretrained=false", "only one of them")
    weights = _weights_file(weights, name) if weights else None
    architecture, own_args = _described(name) if name.startswith(SOURCES) else (name, {})
    if not timm.is_model(architecture):
        similar = difflib.get_close_matches(architecture, timm.list_models(), n=3) or ["resnet18", "efficientnet_b0"]
        raise ConfigError(f"Invalid model.name={name}: expected a timm model, for example {', '.join(similar)}.")
    args = {name: value for name, value in {**own_args, **(model_args or {})}.items() if name not in _ARGUMENTS}
    options: dict[str, Any] = {**args, "num_classes": num_classes, "drop_rate": dropout, "in_chans": in_chans}
    if drop_path is not None:
        options["drop_path_rate"] = drop_path
    if timm.get_pretrained_cfg_value(architecture, "fixed_input_size"):
        options["img_size"] = image_size
    rng_state = torch.get_rng_state()
    try:
        network: Any = timm.create_model(architecture, pretrained=False, **options)
    except Exception as error:  # timm's models raise unrelated exception types
        raise ConfigError(
            f"model.name={name} cannot be built for data.image_size={image_size}: {_reason(error)}. Change the size, "
            "or the argument that it names."
        ) from error
    if pretrained:
        torch.set_rng_state(rng_state)
        overlay = {"file": weights} if weights else None
        untrained = network
        downloads = not weights and not name.startswith("local-dir:")
        try:
            with one_try(f"model.name={name}", _WITHOUT_HUB) if downloads else nullcontext():
                network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
        except WeightsError:
            raise
        except Exception as error:  # hub, file and key layout raise unrelated exception types
            raise WeightsError(_weights_message(name, weights, error)) from error
        _require_all_loaded(network, untrained, weights or name)
    network.suggested_lr = suggested_lr
    if in_chans != len(network.pretrained_cfg["mean"]):
        shared = {key: (fmean(network.pretrained_cfg[key]),) * in_chans for key in ("mean", "std")}
        network.pretrained_cfg = {**network.pretrained_cfg, **shared}
    if name.startswith(SOURCES):
        network.resolved_arguments = {"name": architecture, "model_args": args}
    built: nn.Module = network
    return built


def _weights_file(weights: str, name: str) -> str:
    """Return the path of the weights file of a model, which ``weights`` names or holds.

    Raises:
        WeightsError: There is no such file.
    """
    path = Path(weights).expanduser()
    if path.is_dir():
        path /= f"{name.rpartition('/')[2].rpartition(':')[2]}.safetensors"
    if not path.is_file():
        given = weights if Path(weights).expanduser() == path else f"{weights}: {path}"
        raise WeightsError(
            f"model.weights={given} does not exist; give a file in timm's key layout or a folder with "
            "NAME.safetensors, or leave model.weights out to download from the hub."
        )
    return str(path)


def _described(name: str) -> tuple[str, dict[str, Any]]:
    """Read the architecture and its arguments from the ``config.json`` of a network on the hub or in a folder.

    Raises:
        WeightsError: It cannot be read, or is not in timm's layout.
    """
    source, _, place = name.partition(":")
    try:
        if source == "local-dir":
            config = json.loads((Path(place).expanduser() / "config.json").read_text(encoding="utf-8"))
            return str(config["architecture"]), dict(config.get("model_args") or {})
        with one_try(f"model.name={name}", "download it there and set model.name=local-dir:FOLDER"):
            _, architecture, model_args = load_model_config_from_hf(place)
        return architecture, dict(model_args or {})
    except WeightsError:
        raise
    except Exception as error:  # hub, file and layout raise unrelated exception types
        where = "Give a folder with config.json in timm's layout and its weights"
        if source != "local-dir":
            where = "Check the name and the network, or download it and set model.name=local-dir:FOLDER"
        raise WeightsError(f"model.name={name} cannot be read: {_reason(error)}. {where}.") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()[:30]).rstrip(".:") or type(error).__name__


def _require_all_loaded(network: nn.Module, untrained: nn.Module, source: str) -> None:
    """Check that every tensor was loaded, since timm silently skips keys that a file lacks.

    ``untrained`` was initialised from the same random state: a tensor that equals its counterpart was not loaded.
    """
    head = {id(parameter) for layer in heads(network) for parameter in layer.parameters()}
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
    reason = _reason(error)
    if weights:
        return f"{weights} does not fit model.name={name}: {reason}. Give this model's weights in timm's key layout."
    return (
        f"The pretrained weights of model.name={name} could not be downloaded: {reason}. "
        f"Check the network, or {_WITHOUT_HUB}."
    )
