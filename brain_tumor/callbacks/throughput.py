"""Training speed, and the share of time spent waiting for data."""

import statistics
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback


class Throughput(Callback):
    """Log ``speed/samples_per_second`` (all processes) and ``speed/data_wait`` (share of the steps' time, in [0, 1]).

    Validation and checkpoints do not count. On a GPU the wait is an upper bound, because the GPU computes
    while the host waits. In an epoch that a run was resumed in, the batches since then count.
    """

    def __init__(self) -> None:
        self._epochs: list[tuple[float, float]] = []
        self._samples, self._wait, self._work, self._mark = 0, 0.0, 0.0, 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock of a run that resumes within an epoch, which Lightning does not start again."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._samples, self._wait, self._work, self._mark = 0, 0.0, 0.0, time.perf_counter()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Count the time since the last batch as waiting for this one."""
        now = time.perf_counter()
        self._wait, self._mark = self._wait + now - self._mark, now

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the time since as training on it, and log the epoch's figures after its last batch."""
        now = time.perf_counter()
        self._work, self._mark = self._work + now - self._mark, now
        self._samples += len(batch[0])
        if batch_idx + 1 >= trainer.num_training_batches:
            seconds = self._wait + self._work
            self._epochs.append((self._samples * trainer.world_size / seconds, self._wait / seconds))
            for name, value in zip(("samples_per_second", "data_wait"), self._epochs[-1], strict=True):
                pl_module.log(f"speed/{name}", value, on_step=False, on_epoch=True, batch_size=1)

    @property
    def facts(self) -> dict[str, float]:
        """Medians over the epochs, without the first (warm-up) where there are more."""
        epochs = self._epochs[1:] or self._epochs
        if not epochs:
            return {}
        rates, waits = zip(*epochs, strict=True)
        return {
            "samples_per_second": round(statistics.median(rates), 1),
            "data_wait": round(statistics.median(waits), 4),
        }
