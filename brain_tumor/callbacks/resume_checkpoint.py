"""``last.ckpt``: the state that an interrupted run continues from."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from brain_tumor.callbacks.stop import Stop
from brain_tumor.errors import require


class ResumeCheckpoint(Checkpoint):
    """Save at the end of each epoch, every so many minutes within it, and before training stops on request.

    It saves the state of all other callbacks, so that it must come last: Lightning puts every `Checkpoint` behind the
    other callbacks, and `brain_tumor.training.build` puts this one behind those that keep the best weights.
    (``ModelCheckpoint(save_last=True)`` of Lightning 2.6 saves the last epoch only if it is the best.)

    Args:
        path: Checkpoint file.
        minutes: Minutes between two checkpoints within an epoch; None for none.
        stop: Request to stop, set by a signal.
        clock: Clock in seconds, for tests.

    Raises:
        ConfigError: ``minutes`` is not above 0.
    """

    def __init__(
        self, path: str | Path, minutes: float | None, stop: Stop, clock: Callable[[], float] = time.monotonic
    ) -> None:
        good = minutes is None or minutes > 0
        require(good, f"callbacks.resume_checkpoint.minutes={minutes}", "minutes, more than 0, or null")
        self._path, self._stop, self._clock = Path(path), stop, clock
        self._seconds = float("inf") if minutes is None else minutes * 60
        self._saved = clock()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Replace Lightning's signal handler, which would wait for other ranks within the signal."""
        self._stop.install()
        self._saved = self._clock()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if the interval is over or a stop was requested; all ranks decide together.

        Raises:
            PreemptedError: A stop was requested.
        """
        if batch_idx + 1 >= trainer.num_training_batches:  # validation follows, and then a checkpoint
            return
        if (batch_idx + 1) % trainer.accumulate_grad_batches:  # a checkpoint holds no accumulated gradients
            return
        due = self._clock() - self._saved >= self._seconds
        if _any_rank(trainer, due or self._stop.signal is not None):
            self._save(trainer)
            self._stop_if_requested(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save, and stop if that was requested.

        Raises:
            PreemptedError: A stop was requested.
        """
        self._save(trainer)
        self._stop_if_requested(trainer)

    def _stop_if_requested(self, trainer: L.Trainer) -> None:
        if _any_rank(trainer, self._stop.signal is not None):
            raise self._stop.error()

    def _save(self, trainer: L.Trainer) -> None:
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(self._path)
        self._saved = self._clock()


def _any_rank(trainer: L.Trainer, answer: bool) -> bool:
    return trainer.strategy.reduce_boolean_decision(answer, all=False)
