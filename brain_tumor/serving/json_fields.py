"""Typed reading of a JSON document that may come from anywhere."""

import math
from pathlib import Path
from typing import Any

from brain_tumor.errors import BundleError


class Fields:
    """A table of a document; what is not as expected ends with one sentence that names file and key.

    Args:
        value: What was read: a table of keys, it is hoped.
        file: It was read from.
        place: Keys that lead to it.
    """

    def __init__(self, value: Any, file: Path, place: tuple[str, ...] = ()) -> None:
        self._file, self._place = file, place
        self.mapping: dict[str, Any] = value if isinstance(value, dict) else {}
        self.require(isinstance(value, dict), "", "a table of keys")

    def require(self, good: bool, key: str, expected: str) -> None:
        """Check a value.

        Raises:
            BundleError: It is not good.
        """
        if not good:
            name = ".".join(filter(None, (*self._place, key))) or "the document"
            raise BundleError(f"{self._file} is damaged: {name} is not {expected}; copy the whole bundle again.")

    def inner(self, key: str) -> "Fields":
        """A table below this one; one that is left out is empty."""
        return Fields(self.mapping.get(key, {}), self._file, (*self._place, key))

    def text(self, key: str) -> str:
        """Text that is not empty."""
        value = self.mapping.get(key)
        self.require(isinstance(value, str) and value != "", key, "text")
        return str(value)

    def texts(self, key: str, at_least: int) -> tuple[str, ...]:
        """Different texts."""
        values = self.mapping.get(key)
        good = isinstance(values, list) and all(isinstance(value, str) and value for value in values)
        self.require(good and len(set(values or ())) == len(values or ()) >= at_least, key, "a list of different texts")
        return tuple(values or ())

    def number(self, key: str, *, at_least: float = -math.inf, above: float = -math.inf) -> float:
        """A finite number."""
        value = self.mapping.get(key)
        self.require(_is_number(value, at_least, above), key, _expected("a number", at_least, above))
        return float(value or 0)

    def numbers(self, key: str, *, above: float = -math.inf) -> tuple[float, ...]:
        """Finite numbers."""
        values = self.mapping.get(key)
        good = isinstance(values, list) and all(_is_number(value, -math.inf, above) for value in values)
        self.require(good, key, _expected("a list of numbers", -math.inf, above))
        return tuple(map(float, values or ()))


def _is_number(value: Any, at_least: float, above: float) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= at_least
        and value > above
    )


def _expected(what: str, at_least: float, above: float) -> str:
    limits = [f"from {at_least:g}"] if at_least > -math.inf else []
    limits += [f"above {above:g}"] if above > -math.inf else []
    return " ".join([what, *limits])
