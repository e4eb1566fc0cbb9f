"""The networks that a bundle may name; all others are refused, so that loading a bundle runs no code from it."""

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
"""Name in a bundle → ``_target_`` in the model's configuration."""

_FORMAT_1_NAMES = {"cnn": "small_cnn", "seed_cnn": "reference_cnn"}
"""Name in bundles of format 1 → name."""
_VERSION_0_1_TARGETS = {
    "brain_tumor.models.cnn.SmallCNN": "small_cnn",
    "brain_tumor.models.seed_cnn.SeedCNN": "reference_cnn",
    "brain_tumor.models.backbone.timm_backbone": "timm",
}
"""``_target_`` in checkpoints of version 0.1 → name."""

_INITIALIZATION = ("pretrained", "weights", "suggested_lr")
"""Arguments that only training needs; a bundle has its own weights."""


def architecture_of(recipe: dict[str, Any]) -> dict[str, Any]:
    """Describe the network of a checkpoint as a bundle does.

    Args:
        recipe: Model configuration in a checkpoint: ``_target_`` and its arguments.

    Returns:
        ``name``, a key of `ARCHITECTURES`, and ``arguments``.

    Raises:
        BundleError: The network is not one of `ARCHITECTURES`.
    """
    names = {target: name for name, target in ARCHITECTURES.items()} | _VERSION_0_1_TARGETS
    target = recipe["_target_"]
    if target not in names:
        raise BundleError(f"A bundle cannot hold {target}: expected one of {', '.join(ARCHITECTURES.values())}.")
    arguments = {key: value for key, value in recipe.items() if key not in ("_target_", *_INITIALIZATION)}
    return {"name": names[target], "arguments": arguments}


def build_network(name: str, arguments: dict[str, Any], num_classes: int) -> "nn.Module":
    """Build a network with random weights.

    Args:
        name: Key of `ARCHITECTURES`, or its name in bundles of format 1.
        arguments: Keyword arguments of the network.
        num_classes: Number of classes.

    Raises:
        BundleError: There is no such architecture, or it does not accept the arguments.
    """
    name = _FORMAT_1_NAMES.get(name, name)
    if name not in ARCHITECTURES:
        raise BundleError(f"the architecture {name!r} is none of {', '.join(ARCHITECTURES)}")
    if forbidden := [key for key in _INITIALIZATION if key in arguments]:
        raise BundleError(f"the architecture has the arguments {', '.join(forbidden)}, which only training may set")
    module, _, factory = ARCHITECTURES[name].rpartition(".")
    untrained = {"pretrained": False} if name == "timm" else {}
    with hide_package("wandb"):  # timm imports it where it is installed, which takes more than half a second
        build = getattr(importlib.import_module(module), factory)
    try:
        network: nn.Module = build(num_classes=num_classes, **arguments, **untrained)
    except (BrainTumorError, TypeError, ValueError, RuntimeError) as error:
        raise BundleError(f"the architecture {name!r} cannot be built: {str(error).rstrip('.')}") from error
    return network


@contextmanager
def hide_package(package: str) -> Iterator[None]:
    """Make imports of a package fail with ImportError inside the block, as if it were not installed."""
    loaded = sys.modules.get(package)
    sys.modules[package] = None  # type: ignore[assignment]  # documented way to block an import
    try:
        yield
    finally:
        del sys.modules[package]
        if loaded is not None:
            sys.modules[package] = loaded
