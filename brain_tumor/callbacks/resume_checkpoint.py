"""Keep ``last.ckpt``: the run can go on from it at any time."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from brain_tumor.callbacks.stop import PreemptedError, Stop


class ResumeCheckpoint(Checkpoint):
    """Saves at the end of each epoch, within it every so many minutes, and before it ends training on demand.

    Being a `Checkpoint`, it comes after all other callbacks, whose state it saves; it must come after the one that
    keeps the best weights, too. (``ModelCheckpoint(save_last=True)`` of Lightning 2.6 saves the last epoch only if it
    is the best.)

    Args:
        path: The checkpoint.
        minutes: Between two snapshots; None for none but the ones at the ends of epochs.
        stop: Tells whether to stop.
        clock: Seconds, rising.
    """

    def __init__(
        self, path: Path, minutes: float | None, stop: Stop, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._stop, self._clock = path, stop, clock
        self._seconds = float("inf") if minutes is None else minutes * 60
        self._saved = clock()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the signals back from Lightning, whose handler would wait for other ranks within the signal."""
        self._stop.install()
        self._saved = self._clock()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save and stop, or save, or neither; all ranks do the same.

        Raises:
            PreemptedError: A stop was asked for.
        """
        if batch_idx + 1 >= trainer.num_training_batches:  # validation follows, and then a checkpoint
            return
        due = self._clock() - self._saved >= self._seconds
        if _any_rank(trainer, due or self._stop.signal is not None):
            self._save(trainer)
            self._stop_if_asked(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save, and stop if need be.

        Raises:
            PreemptedError: A stop was asked for.
        """
        self._save(trainer)
        self._stop_if_asked(trainer)

    def _stop_if_asked(self, trainer: L.Trainer) -> None:
        if _any_rank(trainer, self._stop.signal is not None):
            raise PreemptedError(self._stop.signal or signal.SIGTERM)

    def _save(self, trainer: L.Trainer) -> None:
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(self._path)
        self._saved = self._clock()


def _any_rank(trainer: L.Trainer, answer: bool) -> bool:
    return trainer.strategy.reduce_boolean_decision(answer, all=False)
