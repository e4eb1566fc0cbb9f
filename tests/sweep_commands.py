"""Sweeps of tiny trainings, started as commands as a user starts them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

TINY = [
    "data=folder", "data.image_size=32", "data.num_workers=0", "data.batch_size=8", "model.widths=[8,16,16,16]",
    "evaluation.resamples=20", "callbacks=[]",
]  # fmt: skip


def start(root: Path, sweep_dir: Path, *arguments: str) -> subprocess.Popen:
    """Start `brain-tumor train --multirun` on the images of a folder, in its own session."""
    options = [argument for argument in arguments if argument.startswith("--")]  # Hydra expects them first
    overrides = [*TINY, f"data.root={root}", f"hydra.sweep.dir={sweep_dir}", *arguments[len(options) :]]
    return subprocess.Popen(
        [sys.executable, "-m", "brain_tumor", "train", "--multirun", *options, *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )


def finish(process: subprocess.Popen, timeout: float = 600) -> tuple[int, str]:
    """Wait for the end; return the exit code and everything that was printed."""
    out, _ = process.communicate(timeout=timeout)
    return process.returncode, out


def sweep(root: Path, sweep_dir: Path, *arguments: str) -> tuple[int, str]:
    return finish(start(root, sweep_dir, *arguments))


def wait_for(path: Path, process: subprocess.Popen, timeout: float = 600) -> None:
    deadline = time.monotonic() + timeout
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.01)


def kill_job(run_dir: Path, process: subprocess.Popen) -> int:
    """Send SIGKILL to the process that trains in a run directory, after its first epoch; return the process id."""
    wait_for(run_dir / "metrics.csv", process)
    (pid,) = writing_processes(run_dir / "train.log")
    os.kill(pid, signal.SIGKILL)
    return pid


def writing_processes(path: Path) -> set[int]:
    """Return the ids of the processes that have a file open (Linux)."""
    pids = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path:
                pids.add(int(link.parts[2]))
        except OSError:  # the process has ended
            continue
    return pids


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def read_table(sweep_dir: Path) -> pd.DataFrame:
    """Read ``sweep.csv``, indexed by the number of the job."""
    return pd.read_csv(sweep_dir / "sweep.csv", keep_default_na=False).set_index("number")
