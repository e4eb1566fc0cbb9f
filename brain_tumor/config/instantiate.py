"""Build objects from configuration nodes; a mistake in one is reported in one sentence."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_tumor.config.compose import explain
from brain_tumor.errors import BrainTumorError, ConfigError, require

T = TypeVar("T")
ALLOWED_TARGETS = ("brain_tumor.", "lightning.", "torch.", "torchmetrics.", "torchvision.", "timm.")
"""Packages that a ``_target_`` may come from, so that a configuration file cannot call any function."""


def plain(node: DictConfig | dict[str, Any]) -> dict[str, Any]:
    """A node as plain Python, interpolations resolved."""
    container = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    require(isinstance(container, dict), f"{container} where a table of keys belongs", "KEY: VALUE pairs")
    return dict(container)  # type: ignore[arg-type]


def build(node: DictConfig | dict[str, Any], what: str, **arguments: Any) -> Any:
    """Instantiate a node's ``_target_``, or return it with its arguments bound where the node is marked ``_partial_``.

    Args:
        node: Configuration node with a ``_target_`` out of `ALLOWED_TARGETS`, at any depth.
        what: Key of the node, for messages.
        arguments: Further arguments.

    Raises:
        ConfigError: A target that is not allowed or not found, or arguments that it does not take.
    """
    recipe = plain(node)
    _refuse_targets(recipe, what)
    unfinished = recipe.pop("_partial_", False)
    try:
        factory = hydra.utils.instantiate(recipe, _partial_=True, _convert_="all")
    except (InstantiationException, OmegaConfBaseException) as error:
        raise _own(error) or ConfigError(f"{what} cannot be built: {explain(error)}") from error
    _check_names(factory, what)
    return factory if unfinished else call(factory, what, **arguments)


def target_name(node: DictConfig | dict[str, Any], what: str) -> str:
    """Short name of a node's ``_target_``: its attribute ``name``, else the last part of its path.

    Args:
        node: Configuration node with a ``_target_``.
        what: Key of the node, for messages.

    Raises:
        ConfigError: The target is not allowed.
    """
    _refuse_targets(plain(node), what)
    target = str(node["_target_"])
    return str(getattr(hydra.utils.get_object(target), "name", target.rpartition(".")[2]))


def _refuse_targets(recipe: dict[str, Any], what: str) -> None:
    for target in _targets(recipe):
        if not target.startswith(ALLOWED_TARGETS):
            raise ConfigError(f"{what}: _target_ {target} is not allowed; allowed are {', '.join(ALLOWED_TARGETS)}…")


def _check_names(factory: Callable[..., Any], what: str) -> None:
    """Refuse arguments that a factory does not know, even if it is called much later."""
    parameters = inspect.signature(factory.func).parameters  # type: ignore[attr-defined]
    unknown = set(factory.keywords) - set(parameters)  # type: ignore[attr-defined]
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        raise ConfigError(f"{what} takes no {', '.join(sorted(unknown))}; it takes {', '.join(parameters)}.")


def call(factory: Callable[..., T], what: str, *inputs: Any, **arguments: Any) -> T:
    """Call a constructor and report what is wrong with its arguments in one sentence.

    Raises:
        ConfigError: It does not take these arguments.
    """
    try:
        return factory(*inputs, **arguments)
    except BrainTumorError:
        raise
    except (TypeError, ValueError, AttributeError, ImportError, RuntimeError) as error:
        _refuse_words(factory, what)
        raise _own(error) or ConfigError(f"{what} cannot be built: {explain(error)}") from error


def _refuse_words(factory: Callable[..., Any], what: str) -> None:
    """Name an argument that is a word instead of a number.

    Raises:
        ConfigError: There is one.
    """
    for name, value in getattr(factory, "keywords", {}).items():
        parameter = inspect.signature(factory.func).parameters.get(name)  # type: ignore[attr-defined]
        if isinstance(value, str) and parameter and parameter.annotation in (int, float):
            raise ConfigError(f"Invalid {what}.{name}={value}: expected a number.")


def _own(error: BaseException | None) -> BrainTumorError | None:
    """The error of ours that a library's error was raised from, if there is one."""
    while error is not None and not isinstance(error, BrainTumorError):
        error = error.__cause__
    return error


def _targets(node: Any) -> list[str]:
    if isinstance(node, list):
        return [target for child in node for target in _targets(child)]
    if not isinstance(node, dict):
        return []
    own = [str(node["_target_"])] if "_target_" in node else []
    return own + [target for child in node.values() for target in _targets(child)]
