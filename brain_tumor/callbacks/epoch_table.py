"""``metrics.csv``: one row per epoch, rewritten whole after each."""

import logging
import time
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
from lightning.pytorch.callbacks import Callback

from brain_tumor.data.samples import write_table

log = logging.getLogger(__name__)


class EpochTable(Callback):
    """Write epoch, step, seconds since the start, the (highest) learning rate and every metric logged in the epoch.

    Args:
        path: CSV file.
        announce: Whether to log a line per epoch, too, with the losses and the monitored metric.
    """

    def __init__(self, path: str | Path, announce: bool = True) -> None:
        self._path, self._announce = Path(path), announce
        self._rows: list[dict[str, float]] = []
        self._start, self._validated = 0.0, False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._start = time.perf_counter() - (self._rows[-1]["seconds"] if self._rows else 0)

    def state_dict(self) -> dict[str, Any]:
        """Rows, for checkpoints: a resumed run continues the table."""
        return {"rows": self._rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows from a checkpoint."""
        self._rows = state_dict["rows"]

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note that this epoch has validation metrics; Lightning keeps those of the last validation."""
        self._validated = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add the epoch's row; validation has run by now."""
        metrics = {
            name: value
            for name, value in trainer.callback_metrics.items()
            if self._validated or not name.startswith("val/")
        }
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "seconds": round(time.perf_counter() - self._start, 3),
            "lr": max(group["lr"] for group in trainer.optimizers[0].param_groups),
            **{name: value.item() for name, value in sorted(metrics.items())},
        }
        self._validated = False
        self._rows.append(row)
        if trainer.is_global_zero:
            write_table(pd.DataFrame(self._rows), self._path)
        if self._announce:
            shown = dict.fromkeys(["train/loss", "val/loss", getattr(pl_module, "monitor", "val/loss")])
            numbers = ", ".join(f"{name} {row[name]:.4f}" for name in shown if name in row)
            log.info("Epoch %d of %s: %s", row["epoch"] + 1, trainer.max_epochs, numbers)
