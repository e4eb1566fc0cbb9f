"""The LightningModule: trains any `Network` and yields its logits; what the numbers mean is `evaluation`'s."""

from collections.abc import Callable, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score

from brain_tumor.errors import BrainTumorError

Batch = tuple[Tensor, Tensor, Tensor]
"""Images float [B, C, H, W], classes int64 [B], rows of the samples table int64 [B]."""


class Classifier(L.LightningModule):
    """Wraps a network with its loss, optimizer and schedule.

    Args:
        network: See `brain_tumor.models.network.Network`.
        classes: Their names, in the order of the logits.
        loss: (logits [B, C], target int64 [B] or float [B, C]) → scalar.
        optimizer: Network → optimizer.
        scheduler: As the functions in `brain_tumor.models.schedule`.
        mixing: (images, labels) → (images, targets), on training batches.
        monitor: Metric that tells the best epoch, and ``mode`` "max" or "min": for schedules that watch it.
        mode: See ``monitor``.
        recipe: Plain Python (no tensors, no config objects) that tells how ``network`` was built; kept in checkpoints
            as ``hyper_parameters``, so that they load with ``torch.load(weights_only=True)``.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: Sequence[str],
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Callable[[nn.Module], Optimizer],
        scheduler: Callable[..., dict[str, Any]],
        mixing: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        monitor: str = "val/f1_macro",
        mode: str = "max",
        recipe: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        # not for loggers: those have the whole configuration, of which this would overwrite parts
        self.save_hyperparameters({"classes": list(classes), **(recipe or {})}, logger=False)
        self.network = network.to(memory_format=torch.channels_last)
        self.loss = loss
        self._optimizer, self._scheduler, self._mixing = optimizer, scheduler, mixing
        self._monitor, self._mode = monitor, mode
        n = len(classes)
        self.val_loss = MeanMetric(nan_strategy="disable")  # the others would leave NaN out
        self.val_metrics = MetricCollection(
            {
                "f1_macro": MulticlassF1Score(n, average="macro"),
                "accuracy": MulticlassAccuracy(n, average="micro"),
                "balanced_accuracy": MulticlassAccuracy(n, average="macro"),
                "auroc": MulticlassAUROC(n, average="macro"),
            },
            prefix="val/",
            compute_groups=[["f1_macro", "accuracy", "balanced_accuracy"], ["auroc"]],
        )

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images float [B, C, H, W] → logits float [B, classes]."""
        logits: Tensor = self.network(images.contiguous(memory_format=torch.channels_last))
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        """Loss of one (perhaps mixed) batch."""
        images, targets = self._mixing(batch[0], batch[1])
        loss = self.loss(self(images), targets)
        self.log("train/loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Collect loss and metrics."""
        images, labels, _ = batch
        logits = self(images)
        self.val_loss.update(nn.functional.cross_entropy(logits.float(), labels, reduction="none"))
        self.val_metrics.update(logits.float().softmax(dim=1), labels)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics over all images and ranks; ``val/loss`` is plain cross-entropy whatever loss is trained.

        Raises:
            BrainTumorError: The loss is NaN or infinite.
        """
        loss = self.val_loss.compute()
        if not torch.isfinite(loss):
            raise BrainTumorError(
                f"The validation loss became {loss.item()} in epoch {self.current_epoch}: training diverged. Lower "
                "optimizer.lr, or set trainer.gradient_clip_val=1 or trainer.precision=32-true."
            )
        scores = {"val/loss": loss, **self.val_metrics.compute()}
        for name, score in scores.items():
            self.log(name, score, prog_bar=name == self._monitor)
        self.val_loss.reset()
        self.val_metrics.reset()

    def predict_step(self, batch: Batch, batch_idx: int = 0, dataloader_idx: int = 0) -> tuple[Tensor, Tensor]:
        """Rows int64 [B] and logits float32 [B, classes]."""
        images, _, rows = batch
        return rows, self(images).float()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build optimizer and schedule for the length of this training."""
        optimizer = self._optimizer(self.network)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        schedule = self._scheduler(optimizer, total_steps=steps, monitor=self._monitor, mode=self._mode)
        return {"optimizer": optimizer, "lr_scheduler": schedule}  # type: ignore[return-value]
