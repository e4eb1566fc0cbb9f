"""Find out what an interrupted run can resume from, and whether it still runs."""

import os
import platform
from pathlib import Path

from brain_tumor.run_dir.record import read_record


def last_checkpoint(run_dir: Path) -> Path:
    """Return the path of the checkpoint that a run resumes from."""
    return run_dir / "checkpoints" / "last.ckpt"


def checkpoint_to_resume(run_dir: Path, resume: str | None) -> Path | None:
    """Return the checkpoint to resume from, or None to start from the beginning.

    Args:
        run_dir: Run directory, which need not exist.
        resume: Value of the key ``resume``; ``auto`` resumes if there is a checkpoint, None never does.
    """
    path = last_checkpoint(run_dir)
    return path if resume == "auto" and path.is_file() else None


def is_alive(run_dir: Path) -> bool:
    """Check whether another process of this machine still runs the run: the one that ``run.json`` names."""
    record = read_record(run_dir)
    pid = record.get("pid")
    if record.get("status") != "running" or record.get("host") != platform.node():
        return False
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)  # sends no signal, only checks that the process exists
    except PermissionError:
        return True
    except OSError:
        return False
    return pid != os.getpid()
