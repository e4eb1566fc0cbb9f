"""The progress bar of a training: its epoch, counted from 1, and the time left until the last one."""

import time
from datetime import timedelta
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import BatchesProcessedColumn, CustomBarColumn
from rich import get_console
from rich.console import RenderableType
from rich.progress import ProgressColumn, Task, TextColumn
from rich.text import Text


class EpochBar(RichProgressBar):
    """Lightning's bar with the time that is left of the whole training; there is none where the output is no terminal.

    Args:
        leave: Whether to keep the bar of each epoch on the screen.
    """

    def __init__(self, leave: bool = False) -> None:
        super().__init__(leave=leave)
        self._start, self._done_before = 0.0, 0.0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Switch the bar off where nobody would see it move."""
        super().setup(trainer, pl_module, stage)
        if not get_console().is_terminal:
            self.disable()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._start, self._done_before = time.monotonic(), trainer.current_epoch

    def configure_columns(self, trainer: L.Trainer) -> list[Any]:
        """Return epoch, bar, batches and time left; Lightning adds the monitored metric."""
        style = self.theme.progress_bar
        return [
            TextColumn("{task.description}"),
            CustomBarColumn(bar_width=12, complete_style=style, finished_style=style, pulse_style=style),
            BatchesProcessedColumn(style=self.theme.batch_progress),
            _TimeLeft(self),
        ]

    def seconds_left(self, share: float) -> float | None:
        """Seconds until the last epoch ends, at the pace so far; None before there is one, or without a last epoch.

        Args:
            share: Share of the current epoch's batches that are done.
        """
        epochs, now = self.trainer.max_epochs or -1, self.trainer.current_epoch + share
        done = now - self._done_before
        if epochs < 1 or done <= 0:
            return None
        return (time.monotonic() - self._start) / done * max(0.0, epochs - now)

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """Return the monitored metric alone, without ``val/``: a line of 80 columns has no room for more."""
        metrics = super().get_metrics(trainer, pl_module)
        return {name.removeprefix("val/"): value for name, value in metrics.items() if name != "v_num"}

    def _get_train_description(self, current_epoch: int) -> str:
        last = self.trainer.max_epochs
        return f"Epoch {current_epoch + 1}" + (f" of {last}" if last and last > 0 else "")


class _TimeLeft(ProgressColumn):
    """``0:12:30 left``, of the whole training."""

    max_refresh = 0.5

    def __init__(self, bar: EpochBar) -> None:
        self._bar = bar
        super().__init__()

    def render(self, task: Task) -> RenderableType:
        if task.id != self._bar.train_progress_bar_id:
            return Text()
        seconds = self._bar.seconds_left(task.completed / task.total if task.total else 0.0)
        return Text("" if seconds is None else f"{timedelta(seconds=round(seconds))} left", style="dim")
