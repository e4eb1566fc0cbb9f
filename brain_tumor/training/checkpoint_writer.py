"""Write checkpoints in one step."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from brain_tumor.run_dir.atomic import published_file


class RunDirCheckpoints(TorchCheckpointIO):
    """Write a checkpoint in one step, and only into a run directory that exists.

    Lightning creates all folders above a checkpoint: a run whose directory was removed would continue in a new one that
    lacks the files of the old one. Lightning also writes to the system's temporary folder first, and a move from there
    to another disk is a copy, not one step.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: The run directory is gone, or the disk is full.
        """
        path = Path(path)
        content = io.BytesIO()  # torch raises RuntimeError, not OSError, when a disk is full
        torch.save(checkpoint, content)
        path.parent.mkdir(exist_ok=True)
        with published_file(path) as draft:
            draft.write_bytes(content.getbuffer())
