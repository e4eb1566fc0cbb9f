"""The LightningModule that trains a network, and the metrics that it logs on validation data."""

import warnings
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer
from torchmetrics import MeanMetric, Metric
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_auroc, multiclass_f1_score
from torchmetrics.utilities import dim_zero_cat

from brain_tumor.errors import BrainTumorError, ConfigError
from brain_tumor.models.features import all_outputs
from brain_tumor.models.map_loss import MapLoss, mask_channels
from brain_tumor.models.mixing import Mixing
from brain_tumor.models.protocol import Localizer, memory_format

Batch = tuple[Tensor, ...]
"""Images float [B, C, H, W], labels int64 [B], row numbers in the samples table int64 [B]; of data with tumour masks
also masks uint8 [B, S, S], see `brain_tumor.models.map_loss`."""


class Classifier(L.LightningModule):
    """A network with its loss, optimizer and learning-rate schedule.

    Args:
        network: Network that follows `brain_tumor.models.protocol.Network`.
        classes: Class names, in the order of the logits.
        loss: Function (logits [B, C], target int64 [B] or float [B, C]) → scalar.
        optimizer: Function network → optimizer.
        scheduler: Function (optimizer, number of steps) → ``lr_scheduler`` of Lightning's ``configure_optimizers``.
        mixing: Mixup and cutmix of training batches.
        map_loss: Loss of a localizer's map; None of a network without one.
        monitor: Metric that schedules and checkpoints watch.
        compile_mode: Mode of ``torch.compile`` for training and validation steps; None compiles nothing. `forward` and
            `predict_step` are never compiled: they run on other image sizes, and saliency maps need their layers.
        recipe: Plain Python values (no tensors, no config objects) that describe how ``network`` was built. They are
            stored as ``hyper_parameters`` of checkpoints, which load with ``torch.load(weights_only=True)``.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: Sequence[str],
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Callable[[nn.Module], Optimizer],
        scheduler: Callable[[Optimizer, int], dict[str, Any]],
        mixing: Mixing,
        map_loss: MapLoss | None = None,
        monitor: str = "val/f1_macro",
        compile_mode: str | None = None,
        recipe: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        # not logged here: loggers receive the whole configuration, and this would overwrite parts of it
        self.save_hyperparameters({"classes": list(classes), **(recipe or {})}, logger=False)
        self._format = memory_format(network)
        self.network = network.to(memory_format=self._format)
        self.loss, self.map_loss = loss, map_loss
        self._optimizer, self._scheduler, self._mixing = optimizer, scheduler, mixing
        self.monitor = monitor
        step = self._logits_and_map
        self._step_outputs = torch.compile(step, mode=compile_mode) if compile_mode else step
        self.train_loss = MeanMetric(nan_strategy="disable")  # the other strategies ignore NaN
        self.val_scores = ValidationScores(len(classes))
        self.monitored: float | None = None
        """Monitored metric of the last validation."""

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits float [B, classes] of normalised images float [B, C, H, W].

        Raises:
            ConfigError: The network returns something else.
        """
        logits: Any = self.network(images.contiguous(memory_format=self._format))
        if not isinstance(logits, Tensor):
            raise ConfigError(
                f"{type(self.network).__name__} returns {type(logits).__name__} in training: expected logits float "
                "[B, classes] alone; switch its further outputs off."
            )
        return logits

    def _logits_and_map(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        if isinstance(self.network, Localizer):
            _, logits, cells = self.network.outputs(images.contiguous(memory_format=self._format))
            return logits, cells
        return self(images), None

    def training_step(self, batch: Batch) -> Tensor:
        """Compute the loss of one batch, after mixup or cutmix."""
        images, labels, _, *masks = batch
        if masks and self.map_loss is not None:
            images, targets, channels = self._mixing.with_masks(images, labels, mask_channels(masks[0]))
            logits, cells = self._step_outputs(images)
            loss: Tensor = self.loss(logits, targets) + self.map_loss(cells, channels)
        else:
            images, targets = self._mixing(images, labels)
            loss = self.loss(self._step_outputs(images)[0], targets)
        self.train_loss.update(loss.detach(), len(images))
        if self.train_loss.update_count == 1:  # Lightning keeps the metric object: logging it at every step costs time
            self.log("train/loss", self.train_loss, on_step=False, on_epoch=True)
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the last validation's score and, over all ranks, sum and weight of the epoch's training loss so far."""
        state = torch.stack([self.train_loss.mean_value, self.train_loss.weight])
        if self.trainer.is_last_batch:  # the epoch is complete: the next one starts at zero
            state = torch.zeros_like(state)
        checkpoint["train_loss"] = self.trainer.strategy.reduce(state.clone(), reduce_op="sum").tolist()
        checkpoint["monitored"] = self.monitored

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the score and, on rank 0 only, so that it counts once, the training loss."""
        self.monitored = checkpoint.get("monitored")
        if self.trainer.is_global_zero:
            state = zip(("mean_value", "weight"), checkpoint["train_loss"], strict=True)
            for name, value in state:
                setattr(self.train_loss, name, torch.tensor(value, device=self.train_loss.device))

    def validation_step(self, batch: Batch) -> None:
        """Update the validation metrics with one batch."""
        images, labels, rows, *_ = batch
        self.val_scores.update(rows, labels, self._step_outputs(images)[0])

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
        if not self.trainer.sanity_checking:
            self.monitored = scores[self.monitor.removeprefix("val/")].item()
        for name, score in scores.items():  # equal on all ranks: `compute` has gathered them
            self.log(f"val/{name}", score, prog_bar=f"val/{name}" == self.monitor)

    def predict_step(self, batch: Batch, batch_idx: int = 0, dataloader_idx: int = 0) -> tuple[Tensor, ...]:
        """Compute row numbers int64 [B], logits float32 [B, classes] and features float32 [B, D].

        A localizer adds its maps: the logit of each cell, float32 [B, h, w].
        """
        images, _, rows, *_ = batch
        features, logits, cells = all_outputs(self.network, images.contiguous(memory_format=self._format))
        maps = () if cells is None else (cells.float(),)
        return rows, logits.float(), features.float(), *maps

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the norm of all gradients, which Lightning itself refuses with fused optimizers and under FSDP.

        With ``gradient_clip_algorithm`` "value" each number of the gradients is clipped.
        """
        if not gradient_clip_val:
            return
        clip_sharded = getattr(self.trainer.strategy.model, "clip_grad_norm_", None)
        by_value = str(gradient_clip_algorithm or "norm").rpartition(".")[2].lower() == "value"
        if clip_sharded and not by_value:  # FSDP computes the norm over the shards of all ranks
            clip_sharded(gradient_clip_val)
            return
        trained = chain.from_iterable(group["params"] for group in optimizer.param_groups)
        if by_value:
            clip_grad_value_(trained, gradient_clip_val)
        else:
            clip_grad_norm_(trained, gradient_clip_val)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimizer, and the schedule for the length of this training."""
        optimizer = self._optimizer(self.network)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": self._scheduler(optimizer, steps)}  # type: ignore[return-value]


class ValidationScores(Metric):
    """Validation metrics over all images and ranks, bit-identical for every distribution of the images over ranks.

    Predictions are stored with their row number in the samples table; a row that several ranks predicted counts once.

    Args:
        num_classes: Number of classes.
    """

    full_state_update = False
    rows: list[Tensor]
    labels: list[Tensor]
    losses: list[Tensor]
    probabilities: list[Tensor]

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self._num_classes = num_classes
        for name in ("rows", "labels", "losses", "probabilities"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, rows: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Add predictions.

        Args:
            rows: Row numbers in the samples table, int64 [B].
            labels: Class indices, int64 [B].
            logits: Logits [B, C].
        """
        logits = logits.float()
        self.rows.append(rows)
        self.labels.append(labels)
        self.losses.append(torch.nn.functional.cross_entropy(logits, labels, reduction="none"))
        self.probabilities.append(logits.softmax(dim=1))

    def compute(self) -> dict[str, Tensor]:
        """Compute scalars: ``loss`` (mean cross-entropy), ``f1_macro accuracy balanced_accuracy auroc``, in [0, 1].

        As in evaluation, means over classes leave out those that they are not defined for: without images, or for
        ``auroc`` without images of any other class.
        """
        rows, labels, losses, probabilities = (
            dim_zero_cat(state) for state in (self.rows, self.labels, self.losses, self.probabilities)
        )
        first = torch.as_tensor(np.unique(rows.cpu().numpy(), return_index=True)[1], device=rows.device)
        labels, losses, probabilities = labels[first], losses[first], probabilities[first]
        n = self._num_classes
        present = torch.bincount(labels, minlength=n) > 0
        separable = present if int(present.sum()) > 1 else torch.zeros_like(present)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No (positive|negative) samples in targets")  # such classes are left out
            areas = multiclass_auroc(probabilities, labels, n, average=None)
        return {
            "loss": losses.double().mean().float(),
            "f1_macro": multiclass_f1_score(probabilities, labels, n, average="macro"),
            "accuracy": multiclass_accuracy(probabilities, labels, n, average="micro"),
            "balanced_accuracy": multiclass_accuracy(probabilities, labels, n, average=None)[present].mean(),
            "auroc": areas[separable].mean(),
        }
