"""The summary of a sweep: ``sweep.csv`` and ``sweep.html`` in its directory, kept up to date while it runs."""

import logging
import time
from pathlib import Path

from brain_tumor.sweeps.jobs import Plan

log = logging.getLogger(__name__)

_PAGE_TIME_SHARE = 0.05
"""Largest share of the sweep's time that drawing the page may take while jobs run."""


class Summary:
    """Writer of the summary of one sweep.

    Args:
        sweep_dir: Directory with ``sweep.json``; everything else is read from the run directories named in it.
    """

    def __init__(self, sweep_dir: Path) -> None:
        self._sweep_dir = sweep_dir
        self._next_page = 0.0

    def update(self, *, page: bool = False) -> None:
        """Write the table and, from time to time, the page; an error is only logged, as the jobs must go on.

        Args:
            page: Whether to write the page in any case.
        """
        try:
            self._write(page=page or time.monotonic() >= self._next_page)
        except Exception:  # `write_and_print` raises it at the end of the sweep
            log.warning("The summary of the sweep could not be written.", exc_info=True)

    def write_and_print(self) -> None:
        """Write table and page, and print the table."""
        from brain_tumor.sweeps.console import print_sweep
        from brain_tumor.sweeps.table import best_job, read_rows

        plan = Plan.read(self._sweep_dir)
        self._write(page=True)
        rows = read_rows(self._sweep_dir, plan)
        print_sweep(self._sweep_dir, plan, rows, best_job(rows, plan))

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
            self._next_page = time.monotonic() + (time.monotonic() - start) / _PAGE_TIME_SHARE
