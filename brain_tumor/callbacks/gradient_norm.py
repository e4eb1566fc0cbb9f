"""A curve of the gradient norm, for the loggers: a training that diverges shows it here first."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer


class GradientNorm(Callback):
    """Log ``train/grad_norm``, the 2-norm of all gradients before clipping, every ``trainer.log_every_n_steps`` steps.

    The other steps, and a training without a logger, cost nothing: no norm is computed, and a GPU is not waited for.
    """

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer, *_: Any
    ) -> None:
        """Compute the norm: gradients are final here, unscaled and summed over ranks and accumulated batches."""
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not trainer.loggers or not trainer.is_global_zero or every < 1 or (trainer.global_step + 1) % every:
            return
        gradients = [parameter.grad for parameter in pl_module.parameters() if parameter.grad is not None]
        norm = get_total_norm(gradients).item()
        for logger in trainer.loggers:
            logger.log_metrics({"train/grad_norm": norm}, step=trainer.global_step)
