"""The networks that a bundle may name: ours, and those of packages that the caller trusts.

All others are refused, so that loading a bundle runs no code that the caller has not named.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from brain_tumor.config.plugins import load_plugins
from brain_tumor.errors import BrainTumorError, BundleError

if TYPE_CHECKING:
    from torch import Tensor, nn

ARCHITECTURES = {
    "small_cnn": "brain_tumor.models.small_cnn.SmallCNN",
    "reference_cnn": "brain_tumor.models.reference_cnn.ReferenceCNN",
    "timm": "brain_tumor.models.timm_backbone.timm_backbone",
}
"""Name in a bundle → ``_target_`` in the model's configuration."""

ENSEMBLE = "ensemble"
"""Name in a bundle of several networks as one; its argument ``members`` is a list of descriptions."""
LOCALIZERS = {"map": "brain_tumor.models.localizer.LocalizedNetwork"}
"""Name of a localizer in a bundle → ``_target_`` in its configuration."""

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
_NO_WEIGHTS = {"pretrained": False, "weights": None}
"""Arguments of users' networks and of torchvision's that would load weights → value without them."""


def architecture_of(recipe: dict[str, Any]) -> dict[str, Any]:
    """Describe the network of a checkpoint as a bundle does.

    Args:
        recipe: Model configuration in a checkpoint: ``_target_`` and its arguments.

    Returns:
        ``name``, a key of `ARCHITECTURES` or the dotted path of a user's network, and ``arguments``.
    """
    names = {target: name for name, target in ARCHITECTURES.items()} | _VERSION_0_1_TARGETS
    target = recipe["_target_"]
    arguments = {key: value for key, value in recipe.items() if not key.startswith("_")}
    if target in names:
        return {"name": names[target], "arguments": _without_initialization(arguments)}
    return {"name": target, "arguments": arguments | {key: _NO_WEIGHTS[key] for key in _NO_WEIGHTS if key in arguments}}


def localizer_of(recipe: dict[str, Any] | None) -> dict[str, Any] | None:
    """Describe the localizer of a checkpoint as a bundle does.

    Args:
        recipe: Its configuration in a checkpoint, ``_target_`` and its arguments; None without one.

    Returns:
        ``name``, a key of `LOCALIZERS` or the dotted path of a user's own, and ``arguments``.
    """
    if recipe is None:
        return None
    names = {target: name for name, target in LOCALIZERS.items()}
    arguments = {key: value for key, value in recipe.items() if not key.startswith("_")}
    return {"name": names.get(recipe["_target_"], recipe["_target_"]), "arguments": arguments}


def _without_initialization(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key not in _INITIALIZATION}


def package_of(architecture: str) -> str | None:
    """Return the package that a user's network comes from; None for a network of `ARCHITECTURES`."""
    package, dot, _ = architecture.partition(".")
    return package if dot and package not in sys.stdlib_module_names else None


def build_network(name: str, arguments: dict[str, Any], num_classes: int, plugins: Sequence[str] = ()) -> "nn.Module":
    """Build a network with random weights.

    Args:
        name: Key of `ARCHITECTURES`, or its name in bundles of format 1, or the dotted path of a user's network.
        arguments: Keyword arguments of the network.
        num_classes: Number of classes.
        plugins: Packages that users' networks may come from; they are imported.

    Raises:
        BundleError: There is no such architecture, or it does not accept the arguments.
        ConfigError: A package in ``plugins`` cannot be imported.
    """
    package, untrained = package_of(name), {}
    if package is None:
        name = _FORMAT_1_NAMES.get(name, name)
        if name not in ARCHITECTURES:
            raise BundleError(f"the architecture {name!r} is none of {', '.join(ARCHITECTURES)}")
        if forbidden := [key for key in _INITIALIZATION if key in arguments]:
            raise BundleError(f"the architecture has the arguments {', '.join(forbidden)}, which only training may set")
        if name == "timm" and ":" in str(arguments.get("name")):  # it would be downloaded
            raise BundleError(f"the architecture 'timm' cannot be built: {arguments['name']} lies outside the bundle")
        untrained = {"pretrained": False} if name == "timm" else {}
    _require_trusted(name, "network", plugins)
    network: nn.Module = _build(name, ARCHITECTURES, num_classes=num_classes, **arguments, **untrained)
    return network


def build_localized(
    network: "nn.Module", localizer: dict[str, Any], example: "Tensor", num_classes: int, plugins: Sequence[str] = ()
) -> "nn.Module":
    """Add the localizer of a bundle to its network, with random weights.

    Args:
        network: Network of `build_network`.
        localizer: As `localizer_of` returns it.
        example: Normalised images float [1, C, S, S] of the size that the model takes.
        num_classes: Number of classes.
        plugins: Packages that users' localizers may come from; they are imported.

    Raises:
        BundleError: There is no such localizer, or it does not accept the arguments.
        ConfigError: A package in ``plugins`` cannot be imported.
    """
    name = localizer["name"]
    if package_of(name) is None and name not in LOCALIZERS:
        raise BundleError(f"the localizer {name!r} is none of {', '.join(LOCALIZERS)}")
    _require_trusted(name, "localizer", plugins)
    localized: nn.Module = _build(
        name, LOCALIZERS, network, num_classes=num_classes, example=example, **localizer["arguments"]
    )
    return localized


def build_ensemble(
    arguments: dict[str, Any], image_size: int, num_classes: int, plugins: Sequence[str] = ()
) -> "nn.Module":
    """Build the networks of an ensemble with random weights, as one.

    Args:
        arguments: ``mirrored``, and ``members``: for each its ``name`` and ``arguments``, ``localizer`` (as
            `localizer_of` returns it, or None), ``mean``, ``std`` and ``temperature``.
        image_size: Height and width of the images in pixels.
        num_classes: Number of classes.
        plugins: Packages that users' networks may come from; they are imported.

    Raises:
        BundleError: A member cannot be built.
        ConfigError: A package in ``plugins`` cannot be imported.
    """
    from brain_tumor.models.ensemble import EnsembleNetwork, Member

    built = []
    for member in arguments["members"]:
        network = build_whole(member, len(member["mean"]), image_size, num_classes, plugins)
        built.append(Member(network, member["mean"], member["std"], member["temperature"]))
    return EnsembleNetwork(built, mirrored=arguments.get("mirrored", False))


def build_whole(
    description: dict[str, Any], channels: int, image_size: int, num_classes: int, plugins: Sequence[str] = ()
) -> "nn.Module":
    """Build what a bundle describes with random weights: a network, with its localizer, or an ensemble.

    Args:
        description: ``name`` and ``arguments`` of the architecture, and ``localizer``, which may be None.
        channels: Number of input channels.
        image_size: Height and width of the images in pixels.
        num_classes: Number of classes.
        plugins: Packages that users' networks may come from; they are imported.

    Raises:
        BundleError: It cannot be built.
        ConfigError: A package in ``plugins`` cannot be imported, or no longer holds the network that was trained.
    """
    name, localizer = description["name"], description.get("localizer")
    if name == ENSEMBLE:
        return build_ensemble(description["arguments"], image_size, num_classes, plugins)
    network = build_network(name, description["arguments"], num_classes, plugins)
    if package_of(name):
        from brain_tumor.models.dry_run import dry_run

        dry_run(network, channels=channels, image_size=image_size, num_classes=num_classes)
    if localizer is None:
        return network
    import torch

    example = torch.zeros(1, channels, image_size, image_size)
    return build_localized(network, localizer, example, num_classes, plugins)


def _require_trusted(name: str, what: str, plugins: Sequence[str]) -> None:
    """Import the package of a user's network or localizer, if the caller has named it.

    Raises:
        BundleError: The caller has not.
        ConfigError: It cannot be imported.
    """
    package = package_of(name)
    if package is None:
        return
    if package not in plugins:
        raise BundleError(
            f'its {what} {name} is code of the package {package}; if you trust it, add it (plugins=["{package}"] in '
            f"Python, plugins=[{package}] on the command line), or export the bundle: an exported model needs no code"
        )
    load_plugins([package])


def _build(name: str, known: Mapping[str, str], /, *inputs: Any, **arguments: Any) -> Any:
    try:
        with hide_package("wandb"):  # timm imports it where it is installed, which takes more than half a second
            return _factory(name, known)(*inputs, **arguments)
    except (BrainTumorError, ImportError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise BundleError(f"the architecture {name!r} cannot be built: {str(error).rstrip('.')}") from error


def _factory(name: str, known: Mapping[str, str]) -> Any:
    module, _, attribute = known.get(name, "").rpartition(".")
    return getattr(importlib.import_module(module), attribute) if module else pkgutil.resolve_name(name)


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
