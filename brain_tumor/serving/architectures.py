"""The networks that a bundle may name; anything else is refused, so that reading a bundle calls nothing unexpected."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from brain_tumor.errors import BrainTumorError, BundleError

if TYPE_CHECKING:
    from torch import nn

ARCHITECTURES = {
    "small_cnn": "brain_tumor.models.small_cnn.SmallCNN",
    "reference_cnn": "brain_tumor.models.reference_cnn.ReferenceCNN",
    "timm": "brain_tumor.models.timm_backbone.timm_backbone",
}
"""Name in a bundle → ``_target_`` of the model's configuration."""

_OLD_NAMES = {"cnn": "small_cnn", "seed_cnn": "reference_cnn"}
"""Names in bundles of format 1."""
_OLD_TARGETS = {
    "brain_tumor.models.cnn.SmallCNN": "small_cnn",
    "brain_tumor.models.seed_cnn.SeedCNN": "reference_cnn",
    "brain_tumor.models.backbone.timm_backbone": "timm",
}
"""``_target_`` in checkpoints of version 0.1 → name."""

_START = ("pretrained", "weights", "suggested_lr")
"""Arguments that matter to training alone; a bundle brings its own weights."""


def architecture_of(recipe: dict[str, Any]) -> dict[str, Any]:
    """What a bundle says of a network: ``{"name", "arguments"}``.

    Args:
        recipe: Of a checkpoint: ``_target_`` and its arguments.

    Raises:
        BundleError: It is none of `ARCHITECTURES`.
    """
    names = {target: name for name, target in ARCHITECTURES.items()} | _OLD_TARGETS
    target = recipe["_target_"]
    if target not in names:
        raise BundleError(f"A bundle cannot hold {target}; it holds {', '.join(ARCHITECTURES.values())}.")
    arguments = {key: value for key, value in recipe.items() if key not in ("_target_", *_START)}
    return {"name": names[target], "arguments": arguments}


def build_network(name: str, arguments: dict[str, Any], num_classes: int) -> "nn.Module":
    """Build a network without weights.

    Raises:
        BundleError: The name is none of `ARCHITECTURES`, or it does not take the arguments.
    """
    name = _OLD_NAMES.get(name, name)
    if name not in ARCHITECTURES:
        raise BundleError(f"the architecture {name!r} is none of {', '.join(ARCHITECTURES)}")
    if start := [key for key in _START if key in arguments]:
        raise BundleError(f"the architecture's arguments name {', '.join(start)}, which only training may")
    module, _, factory = ARCHITECTURES[name].rpartition(".")
    scratch = {"pretrained": False} if name == "timm" else {}
    with hidden("wandb"):  # timm imports it wherever it is installed, which takes over half a second
        build = getattr(importlib.import_module(module), factory)
    try:
        network: nn.Module = build(num_classes=num_classes, **arguments, **scratch)
    except (BrainTumorError, TypeError, ValueError, RuntimeError) as error:
        raise BundleError(f"the architecture {name!r} cannot be built: {str(error).rstrip('.')}") from error
    return network


@contextmanager
def hidden(package: str) -> Iterator[None]:
    """Let whoever asks for a package find that there is none; afterwards all is as before."""
    known = sys.modules.get(package)
    sys.modules[package] = None  # type: ignore[assignment]  # the import system's own way to say so
    try:
        yield
    finally:
        del sys.modules[package]
        if known is not None:
            sys.modules[package] = known
