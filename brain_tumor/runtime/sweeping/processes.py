"""How a job's process ends, and is ended, with all that it has started."""

import os
import signal
from contextlib import suppress
from multiprocessing.process import BaseProcess

GRACE = 20.0
"""Seconds from SIGTERM to SIGKILL: enough to write a checkpoint."""


def death(code: int | None) -> str:
    """An exit code in words."""
    if code is not None and code < 0:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended without a result, with exit code {code}"


def end(process: BaseProcess) -> None:
    """Wait for a process that is about to end; end it and what it started if it does not, or did not end well."""
    process.join(GRACE)
    if process.exitcode != 0:
        send(process, signal.SIGKILL)
        process.join()


def send(process: BaseProcess, number: signal.Signals) -> None:
    """To the job's whole process group, which outlives the job where workers of it do."""
    if process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
