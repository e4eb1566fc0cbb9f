"""``best.ckpt``: the weights of the epoch with the best monitored validation metric."""

from collections.abc import Iterable

import lightning as L
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Save after the other callbacks of an epoch, whose state a checkpoint holds, and only where validation has run."""

    _validated = False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note that the monitored metric is new."""
        self._validated = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the weights, if they are the best so far."""
        if self._validated:
            super().on_train_epoch_end(trainer, pl_module)
        self._validated = False


def find_best_checkpoint(callbacks: Iterable[Callback]) -> ModelCheckpoint | None:
    """The callback that keeps the weights to evaluate: ours, else the first `ModelCheckpoint`, else None."""
    found = [callback for callback in callbacks if isinstance(callback, ModelCheckpoint)]
    return min(found, key=lambda callback: not isinstance(callback, BestCheckpoint), default=None)
