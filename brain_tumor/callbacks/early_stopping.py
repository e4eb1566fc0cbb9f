"""Stop a training that no longer improves."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import early_stopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason


class EarlyStopping(early_stopping.EarlyStopping):
    """Lightning's `EarlyStopping`; a resumed run goes by the present patience, and trains no epoch after the stop."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score and the epochs since then."""
        super().load_state_dict(state_dict | {"patience": self.patience})

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop again where the interrupted run had stopped, unless a larger patience now lets it go on."""
        stopped_early = self.stopping_reason not in (
            EarlyStoppingReason.NOT_STOPPED,
            EarlyStoppingReason.PATIENCE_EXHAUSTED,
        )
        trainer.should_stop = trainer.should_stop or stopped_early or self.wait_count >= max(1, self.patience)
