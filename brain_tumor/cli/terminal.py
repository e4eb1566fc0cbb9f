"""Log lines in the terminal."""

import logging

from rich import get_console


class TerminalHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Write log lines to standard output, in a terminal above a progress bar that may stand there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as one line, which the terminal may break."""
        console = get_console()
        if console.is_terminal:
            console.print(self.format(record), soft_wrap=True, markup=False, highlight=False)
        else:
            super().emit(record)
