"""Find an interrupted run to go on with."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from brain_tumor.errors import ConfigError

_KEY = "resume="
_DEPTH = ("*", "*/*")
"""Runs lie in ``runs/``, jobs of a sweep one folder deeper."""


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


def expand(arguments: Sequence[str], runs: Path = Path("runs")) -> list[str]:
    """Turn ``resume=RUN`` or ``resume=latest`` into RUN's own command line, with ``resume=auto`` in its directory.

    What else the command line says comes after RUN's own overrides, and wins.

    Raises:
        ConfigError: There is no such run, or nothing to go on with.
    """
    asked = [argument.removeprefix(_KEY) for argument in arguments if argument.startswith(_KEY)]
    if not asked or asked[-1] in ("auto", "null", ""):
        return list(arguments)
    run_dir = _latest(runs) if asked[-1] == "latest" else Path(asked[-1].strip("'\"")).expanduser().absolute()
    saved = run_dir / ".hydra" / "overrides.yaml"
    if not saved.is_file():
        raise ConfigError(f"{run_dir} holds no run to go on with (no .hydra/overrides.yaml).")
    own = [str(text) for text in OmegaConf.load(saved) if not str(text).startswith(_KEY)]
    more = [argument for argument in arguments if not argument.startswith(_KEY)]
    return [*own, *more, f"hydra.run.dir='{run_dir}'", "resume=auto"]


def _latest(runs: Path) -> Path:
    found = [path.parent for pattern in _DEPTH for path in runs.glob(f"{pattern}/run.json")]
    open_ = [run_dir for run_dir in found if facts(run_dir).get("status") != "finished" and not is_alive(run_dir)]
    if not open_:
        raise ConfigError(f"There is no unfinished run below {runs.absolute()}; name one: resume=RUN.")
    return max(open_, key=lambda run_dir: (run_dir / "run.json").stat().st_mtime).absolute()


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
