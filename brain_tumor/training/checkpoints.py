"""How checkpoints are written."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from brain_tumor.run_dir.atomic import published_file


class RunDirCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint in one step, into a run directory that is there.

    Lightning makes all folders above a checkpoint: a run whose directory was taken away would go on in a new one that
    lacks what was in the old one. It also writes to the system's folder of temporary files first, and what is moved
    from there to another disk is copied, not moved in one step.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: The run directory is gone, or the disk is full.
        """
        path = Path(path)
        content = io.BytesIO()  # torch says RuntimeError of a disk that is full
        torch.save(checkpoint, content)
        path.parent.mkdir(exist_ok=True)
        with published_file(path) as draft:
            draft.write_bytes(content.getbuffer())
