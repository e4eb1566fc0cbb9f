"""What an audit costs: the whole command, with an empty cache and with a full one."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import groups_of, on_sets


def measure() -> dict[str, Any]:
    """Measure each public set that is at hand."""
    return on_sets(("nickparvar",), measure_set)


def measure_set(root: Path, *, cold: int = 1, warm: int = 3) -> dict[str, Any]:
    """Time ``brain-tumor audit`` on a folder of images, wall seconds."""
    times: dict[str, list[tuple[float, float]]] = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(cold):
            times["cold"].append(_audit(root, Path(folder) / f"cache{turn}", Path(folder) / "run"))
        for _ in range(warm):
            times["warm"].append(_audit(root, Path(folder) / "cache0", Path(folder) / "run"))
    count = len(groups_of(root))
    return {
        "images": count,
        **{name: _summary(count, runs) for name, runs in times.items()},
    }


def _summary(count: int, runs: list[tuple[float, float]]) -> dict[str, Any]:
    wall, core = (list(column) for column in zip(*runs, strict=True))
    return {
        "median_s": round(statistics.median(wall), 2),
        "runs_s": [round(value, 2) for value in wall],
        "core_s": round(statistics.median(core), 2),
        "images_per_s": round(count / statistics.median(wall), 1),
    }


def _audit(root: Path, cache: Path, run_dir: Path) -> tuple[float, float]:
    """Wall seconds of one run, and seconds of all cores, which other work on the machine changes less.

    Raises:
        RuntimeError: It failed.
    """
    command = [sys.executable, "-m", "brain_tumor", "audit", "data=folder", f"data.root={root}"]
    started, worked = time.perf_counter(), _worked()
    done = subprocess.run(
        [*command, f"hydra.run.dir={run_dir}"],
        env=os.environ | {"BRAIN_TUMOR_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return time.perf_counter() - started, _worked() - worked


def _worked() -> float:
    """Seconds of all cores that processes started here have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tell(found: dict[str, Any]) -> None:
    """Print what was found in each set, against what is asked for."""
    for name, one in found.items():
        print(f"  {name}, {one['images']} images")
        _tell_set(one)


def _tell_set(found: dict[str, Any]) -> None:
    for name, limit in {"cold": 60, "warm": 5}.items():
        one = found[name]
        runs = f"runs {one['runs_s']}, {one['core_s']} s of all cores, {one['images_per_s']} images/s"
        print(f"    {name}: {one['median_s']} s (asked: ≤ {limit}), {runs}")
