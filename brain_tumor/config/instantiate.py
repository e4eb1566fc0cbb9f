"""Build objects from configuration nodes; a mistake in one is reported in one sentence."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_tumor.config.compose import explain
from brain_tumor.config.plugins import PACKAGES, targets
from brain_tumor.errors import BrainTumorError, ConfigError, require

T = TypeVar("T")
_LISTS = frozenset({list, tuple, Sequence})


def plain(node: DictConfig | dict[str, Any]) -> dict[str, Any]:
    """A node as plain Python, interpolations resolved."""
    container = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    require(isinstance(container, dict), f"{container} where a table of keys belongs", "KEY: VALUE pairs")
    return dict(container)  # type: ignore[arg-type]


def build(node: DictConfig | dict[str, Any], what: str, **arguments: Any) -> Any:
    """Call a node's ``_target_``, or return it with its arguments bound where the node is marked ``_partial_``.

    Args:
        node: Configuration node with a ``_target_``; its package was checked when the configuration was composed.
        what: Key of the node, for messages.
        arguments: Further arguments.

    Raises:
        ConfigError: A target that is not found, or arguments that it does not take.
    """
    factory = bind(node, what)
    return factory if plain(node).get("_partial_", False) else call(factory, what, **arguments)


def bind(node: DictConfig | dict[str, Any], what: str) -> "partial[Any]":
    """Return a node's ``_target_`` with its arguments bound, to be called later, whether marked ``_partial_`` or not.

    Args:
        node: Configuration node with a ``_target_``, as in `build`.
        what: Key of the node, for messages.

    Raises:
        ConfigError: As `build`.
    """
    recipe = plain(node)
    recipe.pop("_partial_", None)
    require("_target_" in recipe, f"{what} without a class", f"{what}._target_=PACKAGE.CLASS")
    for key, target in targets(recipe, what):
        find_target(target, key)
    try:
        factory: partial[Any] = hydra.utils.instantiate(recipe, _partial_=True, _convert_="all")
    except (InstantiationException, OmegaConfBaseException) as error:
        raise _own(error) or ConfigError(f"{what} cannot be built: {explain(error)}") from error
    unknown = [name for name in factory.keywords if not accepts(factory.func, name)]
    if unknown:
        known = ", ".join(parameters(factory.func)) or "no arguments"
        raise ConfigError(f"{what} takes no {', '.join(sorted(unknown))}; it takes {known}.")
    return factory


def build_function(node: DictConfig | dict[str, Any], what: str, **arguments: Any) -> Callable[..., Any]:
    """Return what computes: an instance of a node's class, or its function itself with the node's arguments bound.

    Args:
        node: Configuration node with a ``_target_``, as in `build`.
        what: Key of the node, for messages.
        arguments: Further arguments.

    Raises:
        ConfigError: As `build`, or the instance cannot be called.
    """
    factory = bind(node, what)
    if not inspect.isclass(factory.func):
        return partial(factory, **arguments)
    instance = call(factory, what, **arguments)
    require(callable(instance), f"{what}._target_={plain(node)['_target_']}", "a function, or a class with __call__")
    return instance  # type: ignore[no-any-return]


def find_target(target: str, key: str) -> Any:
    """Import what a ``_target_`` names.

    Args:
        target: Dotted path of a class or function.
        key: Its key, for messages.

    Raises:
        ConfigError: There is no such object, or it belongs to another package than the path says.
    """
    try:
        found = hydra.utils.get_object(target)
    except Exception as error:  # the import of a user's module can raise anything
        cause = error.__cause__ or error
        raise ConfigError(f"{key}={target} is not found: {' '.join(str(cause).split()).rstrip('.')}.") from error
    require(callable(found), f"{key}={target}", "a class or a function")
    package, home = (str(name).partition(".")[0] for name in (target, getattr(found, "__module__", None) or target))
    if package in PACKAGES and home not in PACKAGES:  # torch.os.system
        raise ConfigError(f"{key}={target} is not allowed: it is part of {home}, not of {package}.")
    return found


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function or constructor by name; empty if it does not tell them."""
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some functions in C
        return {}


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function or constructor takes a keyword argument, as far as it tells."""
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    by_name = name in found and found[name].kind is not inspect.Parameter.POSITIONAL_ONLY
    return by_name or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in found.values())


def target_name(node: DictConfig | dict[str, Any], what: str) -> str:
    """Short name of a node's ``_target_``: its attribute ``name``, else the last part of its path.

    Args:
        node: Configuration node with a ``_target_``.
        what: Key of the node, for messages.

    Raises:
        ConfigError: There is no such target.
    """
    target = str(node["_target_"])
    name = getattr(find_target(target, f"{what}._target_"), "name", None)
    return name if isinstance(name, str) else target.rpartition(".")[2]


def call(factory: Callable[..., T], what: str, *inputs: Any, **arguments: Any) -> T:
    """Call a constructor and report what is wrong with its arguments in one sentence.

    Raises:
        ConfigError: It does not take these arguments.
    """
    try:
        return factory(*inputs, **arguments)
    except BrainTumorError:
        raise
    except (TypeError, ValueError, AttributeError, ImportError, RuntimeError, LookupError) as error:
        refuse_misfits(factory, what)
        raise _own(error) or ConfigError(f"{what} cannot be built: {explain(error)}") from error


def refuse_misfits(factory: Callable[..., Any], what: str) -> None:
    """Name a bound argument that differs in kind from its parameter: the likely cause of a call that failed.

    Args:
        factory: Function or class; only a `functools.partial` has bound arguments.
        what: Key of the node, for messages.

    Raises:
        ConfigError: An argument is a word where a number or a list belongs, or a list of another length than the
            default tuple.
    """
    function: Any = factory
    bound: dict[str, Any] = {}
    while isinstance(function, partial):
        function, bound = function.func, {**function.keywords, **bound}
    for name, value in bound.items():
        parameter = parameters(function).get(name)
        if parameter is None:
            continue
        is_union = get_origin(parameter.annotation) in (Union, UnionType)
        choices = get_args(parameter.annotation) if is_union else (parameter.annotation,)
        kinds = {get_origin(choice) or choice for choice in choices}
        if isinstance(value, str) and str not in kinds:
            require(not kinds & {int, float}, f"{what}.{name}={value}", "a number")
        if isinstance(value, str | int | float) and type(value) not in kinds:
            require(not kinds & _LISTS, f"{what}.{name}={value}", "a list of values: [A,B]")
        default = parameter.default
        if isinstance(value, list) and isinstance(default, tuple) and tuple in kinds and len(value) != len(default):
            expected = f"{len(default)} values, such as {list(default)}"
            raise ConfigError(f"Invalid {what}.{name}={value}: expected {expected}.")


def _own(error: BaseException | None) -> BrainTumorError | None:
    """The error of ours that a library's error was raised from, if there is one."""
    while error is not None and not isinstance(error, BrainTumorError):
        error = error.__cause__
    return error
