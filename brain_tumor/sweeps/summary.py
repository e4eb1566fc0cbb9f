"""What a sweep leaves in its directory: ``sweep.csv`` and ``sweep.html``, kept up to date while it runs."""

import logging
import time
from pathlib import Path

from brain_tumor.sweeps.jobs import Plan

log = logging.getLogger(__name__)

_SHARE = 0.05
"""Of the time, that drawing the page may take while jobs run."""


class Summary:
    """Writes the summary of one sweep; what a sweep costs must not depend on how often it is summed up.

    Args:
        sweep_dir: Holds ``sweep.json``; all else is read from the run directories that it names.
    """

    def __init__(self, sweep_dir: Path) -> None:
        self._sweep_dir = sweep_dir
        self._next_page = 0.0

    def update_soon(self) -> None:
        """Write the table; the page too, unless it was drawn a moment ago."""
        self._update(page=time.monotonic() >= self._next_page)

    def update(self) -> None:
        """Write table and page, whatever it takes; what goes wrong here must not end a sweep."""
        self._update(page=True)

    def show(self) -> None:
        """Write table and page, and print the table."""
        from brain_tumor.sweeps.console import print_sweep
        from brain_tumor.sweeps.table import best_job, read_rows

        plan = Plan.read(self._sweep_dir)
        self._write(page=True)
        rows = read_rows(self._sweep_dir, plan)
        print_sweep(self._sweep_dir, plan, rows, best_job(rows, plan))

    def _update(self, *, page: bool) -> None:
        try:
            self._write(page=page)
        except Exception:  # the jobs are worth more than an image of them; at the end it is raised
            log.warning("The sweep's summary could not be written.", exc_info=True)

    def _write(self, *, page: bool) -> None:
        from brain_tumor.data.samples import write_table
        from brain_tumor.sweeps.page import write_sweep_page
        from brain_tumor.sweeps.table import read_rows

        plan = Plan.read(self._sweep_dir)
        rows = read_rows(self._sweep_dir, plan)
        write_table(rows, self._sweep_dir / "sweep.csv")
        if page:
            start = time.monotonic()
            write_sweep_page(self._sweep_dir, plan, rows)
            self._next_page = time.monotonic() + (time.monotonic() - start) / _SHARE
