"""How training speeds up with processes: samples per second of one and of several, as their run.json says.

python tests/benchmarks/scaling.py [HYDRA_OVERRIDE …]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from charts import Bar, bars

RUN = ["data.num_workers=0", "trainer.max_epochs=4", "evaluation.resamples=20", "callbacks=[]"]
SETTINGS = {1: ["trainer=cpu"], 2: ["trainer=ddp_cpu", "trainer.devices=2"]}
"""Processes → overrides."""


def measure(*overrides: str, repeats: int = 3) -> dict[str, Any]:
    """Train the small CNN on phantoms with one thread a process, so that a process is a core; in turns."""
    rates: dict[int, list[float]] = {processes: [] for processes in SETTINGS}
    waits: dict[int, list[float]] = {processes: [] for processes in SETTINGS}
    for _ in range(repeats):
        for processes, settings in SETTINGS.items():
            facts = _train(processes, *settings, *overrides)
            rates[processes].append(facts["samples_per_second"])
            waits[processes].append(facts["data_wait"])
    median = {processes: statistics.median(found) for processes, found in rates.items()}
    return {
        "samples_per_second": {str(processes): rates[processes] for processes in SETTINGS},
        "data_wait": {str(processes): statistics.median(found) for processes, found in waits.items()},
        "efficiency": {str(processes): round(median[processes] / processes / median[1], 3) for processes in SETTINGS},
    }


def _train(processes: int, *overrides: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "brain_tumor", "train", *RUN, *overrides, f"hydra.run.dir={folder}"]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": str(processes)})
        facts: dict[str, float] = json.loads((Path(folder) / "run.json").read_text(encoding="utf-8"))["training"]
    return facts


def tell(found: dict[str, Any]) -> None:
    """Print a line for each number of processes."""
    for processes, share in found["efficiency"].items():
        rate = statistics.median(found["samples_per_second"][processes])
        wait = found["data_wait"][processes]
        print(f"  {processes} process(es): {rate:.0f} samples/s, efficiency {share:.0%}, waiting for data {wait:.1%}")


def plot(found: dict[str, Any], path: Path) -> None:
    """Draw medians of samples per second, and how far the repeats lie around them."""
    rows = {
        f"{processes} process(es)": Bar(statistics.median(rates), min(rates), max(rates))
        for processes, rates in found["samples_per_second"].items()
    }
    bars(path, "samples/s in training", {"Own CNN, one thread a process": rows})


if __name__ == "__main__":
    tell(measure(*sys.argv[1:]))
