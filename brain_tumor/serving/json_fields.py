"""Typed access to an untrusted JSON document."""

import math
from pathlib import Path
from typing import Any

from brain_tumor.errors import BundleError


class Fields:
    """A JSON object whose values are checked when they are read; errors name the file and the key.

    Args:
        value: Parsed JSON value, expected to be an object.
        file: File that the document was read from, for error messages.
        path: Keys that lead from the root of the document to ``value``.

    Raises:
        BundleError: ``value`` is no object.
    """

    def __init__(self, value: Any, file: Path, path: tuple[str, ...] = ()) -> None:
        self._file, self._path = file, path
        self.mapping: dict[str, Any] = value if isinstance(value, dict) else {}
        self.require(isinstance(value, dict), "", "a JSON object")

    def require(self, condition: bool, key: str, expected: str) -> None:
        """Check a condition on the value of a key.

        Raises:
            BundleError: The condition is false.
        """
        if not condition:
            name = ".".join(filter(None, (*self._path, key))) or "the document"
            raise BundleError(f"{self._file} is damaged: {name} is not {expected}; copy the whole bundle again.")

    def has(self, key: str) -> bool:
        """Whether a key is present and not null."""
        return self.mapping.get(key) is not None

    def inner(self, key: str) -> "Fields":
        """Return the object at a key, empty if the key is missing."""
        return Fields(self.mapping.get(key, {}), self._file, (*self._path, key))

    def inners(self, key: str) -> list["Fields"]:
        """Return the objects of a list, none if the key is missing."""
        values = self.mapping.get(key, [])
        self.require(isinstance(values, list), key, "a list")
        return [Fields(value, self._file, (*self._path, key)) for value in values]

    def text(self, key: str) -> str:
        """Return a string that is not empty."""
        value = self.mapping.get(key)
        self.require(isinstance(value, str) and value != "", key, "a string")
        return str(value)

    def texts(self, key: str, at_least: int) -> tuple[str, ...]:
        """Return a list of distinct strings, ``at_least`` (1 or more) of them."""
        values = self.mapping.get(key)
        strings = values if isinstance(values, list) else []
        valid = all(isinstance(value, str) and value for value in strings)
        valid = valid and len(set(strings)) == len(strings) >= at_least
        self.require(valid, key, f"a list of {at_least} or more distinct strings")
        return tuple(strings)

    def number(self, key: str, *, at_least: float = -math.inf, above: float = -math.inf) -> float:
        """Return a finite number."""
        value = self.mapping.get(key)
        self.require(_is_number(value, at_least, above), key, _expected("a number", at_least, above))
        return float(value or 0)

    def numbers(self, key: str, *, above: float = -math.inf) -> tuple[float, ...]:
        """Return a list of finite numbers."""
        values = self.mapping.get(key)
        valid = isinstance(values, list) and all(_is_number(value, -math.inf, above) for value in values)
        self.require(valid, key, _expected("a list of numbers", -math.inf, above))
        return tuple(map(float, values or ()))


def _is_number(value: Any, at_least: float, above: float) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= at_least
        and value > above
    )


def _expected(kind: str, at_least: float, above: float) -> str:
    limits = [f"from {at_least:g}"] if at_least > -math.inf else []
    limits += [f"above {above:g}"] if above > -math.inf else []
    return " ".join([kind, *limits])
