"""Log lines and tables in the terminal."""

import logging

from rich import get_console
from rich.console import Console

WIDTH = 120
"""Columns of text if the output is no terminal."""


class TerminalHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Write log lines to standard output, in a terminal above a progress bar that may stand there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as one line, which the terminal may break."""
        console = get_console()
        if console.is_terminal:
            console.print(self.format(record), soft_wrap=True, markup=False, highlight=False)
        else:
            super().emit(record)


def console() -> Console:
    """Return the console for results, which does not wrap at 80 columns in a pipe."""
    screen = Console(highlight=False, emoji=False, markup=False)
    return screen if screen.is_terminal else Console(highlight=False, emoji=False, markup=False, width=WIDTH)
