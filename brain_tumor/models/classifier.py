"""The LightningModule: trains any `Network` and yields its logits; what the numbers mean is `evaluation`'s."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torchmetrics import MeanMetric

from brain_tumor.errors import BrainTumorError
from brain_tumor.models.protocol import features_and_logits
from brain_tumor.models.validation_scores import ValidationScores

Batch = tuple[Tensor, Tensor, Tensor]
"""Images float [B, C, H, W], classes int64 [B], rows of the samples table int64 [B]."""


class Classifier(L.LightningModule):
    """Wraps a network with its loss, optimizer and schedule.

    Args:
        network: See `brain_tumor.models.protocol.Network`.
        classes: Their names, in the order of the logits.
        loss: (logits [B, C], target int64 [B] or float [B, C]) → scalar.
        optimizer: Network → optimizer.
        scheduler: As the functions in `brain_tumor.models.schedules`.
        mixing: (images, labels) → (images, targets), on training batches.
        monitor: Metric that tells the best epoch, and ``mode`` "max" or "min": for schedules that watch it.
        mode: See ``monitor``.
        compile_mode: Of ``torch.compile`` for training and validation steps; None compiles nothing. `forward` and
            predictions never are: they see other sizes, and people look into them.
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
        compile_mode: str | None = None,
        recipe: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        # not for loggers: those have the whole configuration, of which this would overwrite parts
        self.save_hyperparameters({"classes": list(classes), **(recipe or {})}, logger=False)
        self.network = network.to(memory_format=torch.channels_last)
        self.loss = loss
        self._optimizer, self._scheduler, self._mixing = optimizer, scheduler, mixing
        self.monitor, self._mode = monitor, mode
        self._fast = torch.compile(self.forward, mode=compile_mode) if compile_mode else self.forward
        self.train_loss = MeanMetric(nan_strategy="disable")  # the others would leave NaN out
        self.val_scores = ValidationScores(len(classes))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images float [B, C, H, W] → logits float [B, classes]."""
        logits: Tensor = self.network(images.contiguous(memory_format=torch.channels_last))
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        """Loss of one (perhaps mixed) batch."""
        images, targets = self._mixing(batch[0], batch[1])
        loss = self.loss(self._fast(images), targets)
        self.train_loss.update(loss.detach(), len(images))
        if self.train_loss.update_count == 1:  # Lightning keeps the metric itself; telling it at each step takes time
            self.log("train/loss", self.train_loss, on_step=False, on_epoch=True)
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the epoch's mean training loss has come to, over all ranks, for a run that is resumed within it."""
        so_far = torch.stack([self.train_loss.mean_value, self.train_loss.weight])
        if self.trainer.is_last_batch:  # the epoch is over: the next one starts from nothing
            so_far = torch.zeros_like(so_far)
        checkpoint["train_loss"] = self.trainer.strategy.reduce(so_far.clone(), reduce_op="sum").tolist()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back: on rank 0, so that it counts once."""
        if self.trainer.is_global_zero:
            state = zip(("mean_value", "weight"), checkpoint["train_loss"], strict=True)
            for name, value in state:
                setattr(self.train_loss, name, torch.tensor(value, device=self.train_loss.device))

    def validation_step(self, batch: Batch) -> None:
        """Collect loss and metrics."""
        images, labels, rows = batch
        self.val_scores.update(rows, labels, self._fast(images))

    def on_validation_epoch_end(self) -> None:
        """Log the metrics over all images and ranks; ``val/loss`` is plain cross-entropy whatever loss is trained.

        Raises:
            BrainTumorError: The loss is NaN or infinite.
        """
        scores = self.val_scores.compute()
        self.val_scores.reset()
        if not torch.isfinite(scores["loss"]):
            raise BrainTumorError(
                f"The validation loss became {scores['loss'].item()} in epoch {self.current_epoch}: training diverged. "
                "Lower optimizer.lr, or set trainer.gradient_clip_val=1 or trainer.precision=32-true."
            )
        for name, score in scores.items():  # the same on all ranks by now
            self.log(f"val/{name}", score, prog_bar=f"val/{name}" == self.monitor)

    def predict_step(self, batch: Batch, batch_idx: int = 0, dataloader_idx: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Rows int64 [B], logits float32 [B, classes] and features float32 [B, D]."""
        images, _, rows = batch
        features, logits = features_and_logits(self.network, images.contiguous(memory_format=torch.channels_last))
        return rows, logits.float(), features.float()

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the norm of all gradients; Lightning refuses to with fused optimizers, and under FSDP."""
        if not gradient_clip_val:
            return
        if of_shards := getattr(self.trainer.strategy.model, "clip_grad_norm_", None):  # FSDP's: norm over all ranks
            of_shards(gradient_clip_val)
        else:
            trained = chain.from_iterable(group["params"] for group in optimizer.param_groups)
            clip_grad_norm_(trained, gradient_clip_val)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build optimizer and schedule for the length of this training."""
        optimizer = self._optimizer(self.network)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        schedule = self._scheduler(optimizer, total_steps=steps, monitor=self.monitor, mode=self._mode)
        return {"optimizer": optimizer, "lr_scheduler": schedule}  # type: ignore[return-value]
