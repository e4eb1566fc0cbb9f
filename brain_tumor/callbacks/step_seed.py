"""Random draws of the device's own (dropout, mixup), decided by seed, epoch, batch and rank alone."""

from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback


class StepSeed(Callback):
    """Seed torch anew before each training batch.

    A run that is interrupted and resumed then draws as if it had never stopped, and no two ranks draw the same.

    Args:
        seed: Same seed, same draws.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the generators of all devices; costs no synchronisation."""
        entropy = [self._seed, trainer.current_epoch, batch_idx, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]))
