"""Write checkpoints in one step, and read them wherever the run directory lies now."""

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from brain_tumor.errors import RunDirError
from brain_tumor.run_dir.atomic import published_file


class RunDirCheckpoints(TorchCheckpointIO):
    """Write a checkpoint in one step, and only into a run directory that exists.

    Lightning creates all folders above a checkpoint: a run whose directory was removed would continue in a new one that
    lacks the files of the old one. Lightning also writes to the system's temporary folder first, and a move from there
    to another disk is a copy, not one step. `ModelCheckpoint` stores absolute paths, and forgets the best score where
    they have changed: the next epoch of a run that was moved would take the place of the best one.

    Args:
        run_dir: Run directory.
    """

    def __init__(self, run_dir: str | Path) -> None:
        super().__init__()
        self._run_dir = os.path.realpath(run_dir)  # as ModelCheckpoint does

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: The run directory is gone, or the disk is full.
        """
        path = Path(path)
        content = io.BytesIO()  # torch raises RuntimeError, not OSError, when a disk is full
        torch.save(checkpoint | {"run_dir": self._run_dir}, content)
        path.parent.mkdir(exist_ok=True)
        with published_file(path) as draft:
            draft.write_bytes(content.getbuffer())

    def load_checkpoint(self, path: str | Path, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Read a checkpoint; paths in the states of callbacks lead into the present run directory.

        Raises:
            RunDirError: The best weights so far are missing.
        """
        checkpoint: dict[str, Any] = super().load_checkpoint(path, *arguments, **options)
        moved = _moved(checkpoint.get("callbacks", {}), checkpoint.get("run_dir", self._run_dir), self._run_dir)
        for state in moved.values():
            best = state.get("best_model_path") if isinstance(state, dict) else None
            if best and Path(best).is_relative_to(self._run_dir) and not Path(best).is_file():
                raise RunDirError(f"{best} is missing, which {path} belongs to; copy it, too, or start a new run.")
        return checkpoint | {"callbacks": moved}


def _moved(node: Any, before: str, now: str) -> Any:
    """Replace one folder by another in all paths of nested tables and lists."""
    if isinstance(node, dict):
        return {_moved(key, before, now): _moved(value, before, now) for key, value in node.items()}
    if isinstance(node, list):
        return [_moved(value, before, now) for value in node]
    if isinstance(node, str) and (node == before or node.startswith(before + os.sep)):
        return now + node[len(before) :]
    return node
