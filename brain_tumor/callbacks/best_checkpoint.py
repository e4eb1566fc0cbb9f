"""``best.ckpt``: the weights of the epoch that the monitored validation metric calls best."""

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Saves when the epoch is over, so that all that checkpoints hold is whole; looks only where validation has run."""

    _validated = False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """There is something new to look at."""
        self._validated = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look."""
        if self._validated:
            super().on_train_epoch_end(trainer, pl_module)
        self._validated = False
