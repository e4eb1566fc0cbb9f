"""Small images first: early epochs need no detail and are faster without it."""

import logging

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.errors import ConfigError, require

log = logging.getLogger(__name__)

_STEP = 16
"""Image sizes are multiples of it, so that strided layers lose no border."""


class ProgressiveResizing(Callback):
    """Train on images that grow from epoch to epoch (Howard 2018); validation uses their full size.

    Args:
        start: Image size of the first epoch, share of ``data.image_size``.
        until: Share of the epochs after which images have their full size.

    Raises:
        ConfigError: A share is out of range, or the network takes one size only.
    """

    def __init__(self, start: float = 0.5, until: float = 0.4) -> None:
        for name, value in {"start": start, "until": until}.items():
            require(0 < value <= 1, f"callbacks.progressive_resizing.{name}={value}", "a share above 0, up to 1")
        self._start, self._until = start, until

    def side(self, epoch: int, epochs: int, full: int) -> int:
        """Height and width of the images in an epoch, counted from 0: a multiple of 16, or the full size."""
        grown = min(1.0, epoch / max(1.0, self._until * epochs))
        side = full * (self._start + (1 - self._start) * grown)
        return full if grown == 1 else min(full, max(_STEP, round(side / _STEP) * _STEP))

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Refuse a network that does not take the smallest images."""
        if stage != "fit":
            return
        data = _datamodule(trainer)
        side = self.side(0, trainer.max_epochs or 1, data.image_size)
        was_training = pl_module.training
        try:
            with torch.no_grad():
                pl_module.eval()(torch.zeros(1, len(data.normalize.mean), side, side, device=pl_module.device))
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"callbacks=[progressive_resizing] needs a network that takes images of {side} px beside "
                f"{data.image_size} px, and this one does not; leave the callback out, or choose model=small_cnn "
                "or model=resnet18."
            ) from error
        finally:
            pl_module.train(was_training)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the image size of a run that resumes within an epoch, which Lightning does not start again."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the image size of this epoch."""
        data = _datamodule(trainer)
        side = self.side(trainer.current_epoch, trainer.max_epochs or 1, data.image_size)
        if side != (data.train_image_size or data.image_size):
            log.info("Training on images of %d px from epoch %d on.", side, trainer.current_epoch + 1)
        data.train_image_size = side


def _datamodule(trainer: L.Trainer) -> ScanDataModule:
    data = trainer.datamodule  # type: ignore[attr-defined]
    require(isinstance(data, ScanDataModule), f"progressive resizing with {type(data).__name__}", "ScanDataModule")
    return data  # type: ignore[no-any-return]
