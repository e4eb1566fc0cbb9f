"""Find an interrupted run to go on with."""

import json
import os
import platform
from pathlib import Path
from typing import Any


def last_checkpoint(run_dir: Path) -> Path:
    """Where a run keeps the checkpoint that it can go on from."""
    return run_dir / "checkpoints" / "last.ckpt"


def checkpoint_to_resume(run_dir: Path, resume: str | None) -> Path | None:
    """The checkpoint to go on from, if ``resume`` asks for that and there is one."""
    path = last_checkpoint(run_dir)
    return path if resume == "auto" and path.is_file() else None


def facts(run_dir: Path) -> dict[str, Any]:
    """The run's ``run.json``; empty if there is none, or it cannot be read."""
    try:
        return dict(json.loads((run_dir / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def is_alive(run_dir: Path) -> bool:
    """Whether the process that wrote ``run.json`` as running still runs, on this machine."""
    known = facts(run_dir)
    if known.get("status") != "running" or known.get("host") != platform.node():
        return False
    try:
        os.kill(int(known.get("pid", 0)) or 2**22 + 1, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return int(known["pid"]) != os.getpid()
