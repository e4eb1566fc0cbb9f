"""Progress bars on long work, where someone can see them."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich import get_console
from rich.progress import track

T = TypeVar("T")


def progress(items: Sequence[T] | Iterable[T], doing: str, total: int | None = None) -> Iterable[T]:
    """Iterate with a bar that vanishes when it is full; without one where the output is no terminal."""
    return track(items, doing, total, transient=True, disable=not get_console().is_terminal)
