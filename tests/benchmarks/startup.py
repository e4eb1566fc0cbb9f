"""How long a command takes before it does anything: seconds of whole processes, median and spread."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from charts import Bar, bars

COMMANDS = {
    "--help": (0.5, 0),
    "train --help": (1.5, 0),
    "train modle=cnn": (1.5, 2),
    "train data=folder": (1.5, 2),
    "train optimizer.lr=high": (1.5, 2),
    "train trainer.precision=half": (1.5, 2),
}
"""Command → seconds asked for, exit code."""


def measure(repeats: int = 5) -> dict[str, Any]:
    """Run each command so many times."""
    found = {}
    for command, (limit, code) in COMMANDS.items():
        _run(command, code)  # libraries come from the disk
        seconds = [_run(command, code) for _ in range(repeats)]
        found[command] = {
            "median_s": round(statistics.median(seconds), 2),
            "runs_s": [round(value, 2) for value in seconds],
            "limit_s": limit,
        }
    return found


def _run(command: str, code: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "brain_tumor", *command.split()], capture_output=True, cwd=folder, check=False
        )
        seconds = time.perf_counter() - started
    if done.returncode != code:
        raise RuntimeError(f"{command} ended with exit code {done.returncode}: {done.stderr.decode()[-500:]}")
    return seconds


def tell(found: dict[str, Any]) -> None:
    """Print a line a command."""
    for command, one in found.items():
        print(f"  brain-tumor {command:<30}{one['median_s']} s (asked: ≤ {one['limit_s']}), runs {one['runs_s']}")


def plot(found: dict[str, Any], path: Path) -> None:
    """Draw medians of seconds, and how far the runs lie around them."""
    rows = {
        f"brain-tumor {command}": Bar(one["median_s"], min(one["runs_s"]), max(one["runs_s"]), one["limit_s"])
        for command, one in found.items()
    }
    bars(path, "seconds of the whole command", {"Start-up": rows})
