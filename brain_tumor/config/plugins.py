"""Users' own packages: which ones a ``_target_`` may come from, and how they are imported and named."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from brain_tumor.errors import ConfigError, require

PACKAGES = (
    "brain_tumor",
    "torch",
    "lightning",
    "timm",
    "torchmetrics",
    "torchvision",
    "albumentations",
    "transformers",
)
"""Packages that a ``_target_`` may come from without being named in ``plugins``."""


_CUSTOM = {
    "model": "model",
    "localizer": "localizer",
    "loss": "loss",
    "optimizer": "optimizer",
    "scheduler": "scheduler",
    "data": "data.adapter",
}
"""Group with an option ``custom`` → table of its class."""


def with_custom_options(overrides: Sequence[str]) -> list[str]:
    """Choose ``GROUP=custom`` where a class is named without an option: it then gets no argument of the default option.

    ``model._target_=mylab.Net model.width=8`` becomes ``model=custom model._target_=mylab.Net ++model.width=8``.

    Args:
        overrides: Overrides as on the command line; flags pass unchanged.
    """
    result = list(overrides)
    for group, table in _CUSTOM.items():
        named = any(re.match(rf"\+*{re.escape(table)}\._target_=", text) for text in result)
        if named and not any(re.match(rf"\+*{group}=", text) for text in result):
            arguments = rf"\+*({re.escape(table)}\.(?!_target_=).*)"
            result = [
                f"{group}=custom",
                *(re.sub(rf"^{arguments}$", r"++\1", text, flags=re.DOTALL) for text in result),
            ]
    return result


def load_plugins(names: Sequence[str]) -> None:
    """Import users' packages: installed ones, or a file or folder on PYTHONPATH or in the current folder.

    Args:
        names: Value of the key ``plugins``.

    Raises:
        ConfigError: A name is not that of a package, the package is not found, or its import fails.
    """
    for name in names:
        valid = isinstance(name, str) and name.isidentifier() and name not in sys.stdlib_module_names
        require(valid, f"plugins={list(names)}", "a list of packages that are not part of Python: plugins=[mylab]")
        if importlib.util.find_spec(name) is None and str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))  # as `python -m` does; last, so that it hides no installed package
        if importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"plugins=[{name}]: there is no package {name}; install it (pip install …), set "
                f"PYTHONPATH to the folder that holds it, or start in that folder (this is {Path.cwd()})."
            )
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever the user's code raises
            raise ConfigError(f"plugins=[{name}]: importing it failed with {type(error).__name__}: {error}.") from error


def require_allowed_targets(config: Any, plugins: Sequence[str]) -> None:
    """Check that every ``_target_`` comes from `PACKAGES` or a plug-in, so that a config file cannot call any function.

    Args:
        config: Configuration as plain Python.
        plugins: Value of the key ``plugins``.

    Raises:
        ConfigError: A target comes from another package.
    """
    for key, target in targets(config):
        package = target.partition(".")[0]
        if package in sys.stdlib_module_names:
            raise ConfigError(
                f"{key}={target} is not allowed: expected a class of {', '.join(PACKAGES)}, or a plug-in."
            )
        if package not in (*PACKAGES, *plugins):
            raise ConfigError(
                f"{key}={target} is not allowed, as plugins does not name its package; if you trust {package}, add it: "
                f"plugins=[{','.join([*plugins, package])}]."
            )


def targets(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted key and value of each ``_target_`` of plain Python tables and lists, at any depth below ``path``."""
    if isinstance(node, dict):
        for name, value in node.items():
            key = f"{path}.{name}" if path else str(name)
            if name == "_target_":
                yield key, str(value)
            else:
                yield from targets(value, key)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from targets(value, f"{path}.{number}")
