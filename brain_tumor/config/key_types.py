"""Declare the keys of a configuration: what each means and which values it takes."""

from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields, is_dataclass
from types import NoneType
from typing import Any, get_args

from omegaconf import OmegaConf


@dataclass(frozen=True)
class Check:
    """What a value must be."""

    holds: Callable[[Any], bool]
    expected: str
    """Completes the sentence "Invalid KEY=VALUE: expected …"."""


@dataclass(frozen=True)
class Key:
    """One key of a configuration."""

    text: str
    """Help line."""
    check: Check | None


def key(text: str, check: Check | None = None) -> Any:
    """Declare a key.

    Args:
        text: Help line.
        check: Condition for its value; None checks the type alone.
    """
    return field(metadata={"text": text, "check": check})


def whole(least: int) -> Check:
    """A whole number, ``least`` or more."""
    return Check(lambda value: is_number(value, int) and value >= least, f"a whole number from {least}")


def number(holds: Callable[[float], bool], expected: str) -> Check:
    """A number for which a condition holds."""
    return Check(lambda value: is_number(value) and holds(value), expected)


def one_of(*choices: str | None) -> Check:
    """One of some words, or null."""
    words = ["null" if choice is None else choice for choice in choices]
    return Check(lambda value: value in choices, (" or " if len(words) == 2 else ", ").join(words))


def list_of(*choices: str) -> Check:
    """A list of some words, each of which may be left out."""
    return Check(
        lambda value: is_list_of(value, *choices),
        f"a list of {', '.join(choices[:-1])} and {choices[-1]}: [{','.join(choices)}]",
    )


def is_list_of(value: Any, *choices: str) -> bool:
    """Return whether a value is a list of some words."""
    return OmegaConf.is_list(value) and all(item in choices for item in value)


def some_of(*choices: str) -> Check:
    """One of some words, or a list of them."""
    return Check(
        lambda value: value in choices or is_list_of(value, *choices),
        f"{', '.join(choices[:-1])} or {choices[-1]}, or a list: [{','.join(choices[:2])}]",
    )


def is_number(value: Any, kind: Any = int | float) -> bool:
    """Return whether a value is a number; True and False do not count."""
    return isinstance(value, kind) and not isinstance(value, bool)


TRUE_OR_FALSE = Check(lambda value: isinstance(value, bool), "true or false")


def keys(schema: type) -> Iterator[tuple[str, Key]]:
    """Every key of a dataclass and of the tables below it, by its dotted name."""
    for entry in fields(schema):
        if isinstance(entry.type, type) and is_dataclass(entry.type):
            yield from ((f"{entry.name}.{name}", found) for name, found in keys(entry.type))
        else:
            yield entry.name, Key(entry.metadata["text"], _check_of(entry))


def _check_of(entry: "Field[Any]") -> Check | None:
    check: Check | None = TRUE_OR_FALSE if entry.type is bool else entry.metadata["check"]
    if check is None or NoneType not in get_args(entry.type) or check.holds(None):
        return check
    holds = check.holds
    return Check(lambda value: value is None or holds(value), f"{check.expected}, or null")


AUTO_OR_NUMBER = Check(lambda value: value == "auto" or is_number(value), "a number, or auto")
NAMES = Check(
    lambda value: OmegaConf.is_list(value) and all(isinstance(name, str) for name in value), "a list of names: [mylab]"
)
