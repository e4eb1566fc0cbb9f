"""Progress bars for long work."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich import get_console
from rich.progress import track

T = TypeVar("T")


def progress(items: Sequence[T] | Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Iterate over items with a progress bar that disappears at the end; without one if the output is no terminal.

    Args:
        items: Items to iterate over.
        description: Text in front of the bar.
        total: Number of items, if they have no length.
    """
    if not get_console().is_terminal:
        return items
    return track(items, description, total, transient=True)
