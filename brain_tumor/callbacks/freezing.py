"""Train the head alone at first, or throughout."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch.optim import Optimizer

from brain_tumor.errors import require
from brain_tumor.models.protocol import steps_below_head


class Freezing(Callback):
    """Freeze the backbone; unfreeze it stage by stage from the head downwards, or never.

    Frozen modules stay in evaluation mode, so that their batch-norm statistics stay as pretrained. Gradients of stages
    that are unfrozen later are dropped before clipping and stepping, so that DDP knows every parameter from the start:
    it would not synchronise one that is added later.

    Args:
        epochs_per_stage: Epochs until the next stage is unfrozen; None keeps the backbone frozen throughout.
    """

    def __init__(self, epochs_per_stage: int | None = None) -> None:
        good = epochs_per_stage is None or epochs_per_stage >= 1
        require(good, f"callbacks.freezing.epochs_per_stage={epochs_per_stage}", "1 or more, or null for never")
        self._epochs_per_stage = epochs_per_stage

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Skip the backward pass of a backbone that stays frozen."""
        if stage == "fit" and self._epochs_per_stage is None:
            for name in self._frozen(pl_module):
                self._network(pl_module).get_parameter(name).requires_grad_(False)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the modes of a run that resumes within an epoch, which Lightning does not start again."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put the modules whose parameters are all frozen into evaluation mode, the others into training mode."""
        frozen = set(self._frozen(pl_module))
        for prefix, module in self._network(pl_module).named_modules():
            names = [f"{prefix}.{name}".lstrip(".") for name, _ in module.named_parameters()]
            module.training = not names or not frozen.issuperset(names)

    def on_before_optimizer_step(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        optimizer: Optimizer,
    ) -> None:
        """Drop the gradients of the parameters that are frozen in this epoch."""
        for name in self._frozen(pl_module):
            self._network(pl_module).get_parameter(name).grad = None

    def _frozen(self, pl_module: L.LightningModule) -> list[str]:
        unfrozen = 0 if self._epochs_per_stage is None else pl_module.current_epoch // self._epochs_per_stage
        return [name for name, steps in steps_below_head(self._network(pl_module)).items() if steps > unfrozen]

    @staticmethod
    def _network(pl_module: L.LightningModule) -> Any:
        return pl_module.network
