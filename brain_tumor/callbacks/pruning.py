"""Stop the trials of a search that do worse than the others."""

import lightning as L
from lightning.pytorch.callbacks import Callback

from brain_tumor.callbacks.optuna_trial import OwnTrial
from brain_tumor.errors import PrunedError, require


class Pruning(Callback):
    """Report the monitored metric after each validation, and stop a run that is worse than the median of the others.

    Outside of a search it does nothing. With several devices rank 0 alone accesses the study, and all ranks follow it.

    Args:
        monitor: Validation metric.
        warmup_epochs: Epochs in which no run is stopped.
        startup_trials: Trials that must have finished before any is stopped.
    """

    def __init__(self, monitor: str, warmup_epochs: int = 3, startup_trials: int = 5) -> None:
        for name, value in {"warmup_epochs": warmup_epochs, "startup_trials": startup_trials}.items():
            good = isinstance(value, int) and value >= 0
            require(good, f"callbacks.pruning.{name}={value}", "a whole number from 0")
        self._monitor, self._warmup, self._startup = monitor, warmup_epochs, startup_trials
        self._trial: OwnTrial | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Find the trial of this run."""
        if stage == "fit" and trainer.is_global_zero:
            self._trial = OwnTrial.of_this_run(warmup=self._warmup, startup=self._startup)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report the metric, and stop where the study says so.

        Raises:
            PrunedError: On all ranks.
        """
        if trainer.sanity_checking:
            return
        hopeless = False
        if self._trial is not None:
            value = float(trainer.callback_metrics[self._monitor])
            hopeless = self._trial.is_hopeless(value, trainer.current_epoch)
        if trainer.strategy.broadcast(hopeless):
            raise PrunedError(
                f"stopped after epoch {trainer.current_epoch + 1}: worse than the median of the other trials"
            )
