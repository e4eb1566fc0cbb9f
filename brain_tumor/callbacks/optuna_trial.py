"""The Optuna trial that a run belongs to; its sweep passes it in an environment variable."""

import json
import logging
import os

log = logging.getLogger(__name__)

TRIAL = "BRAIN_TUMOR_TRIAL"
"""Environment variable: JSON of storage, study and number."""


class OwnTrial:
    """One trial of a study, to report values to.

    Args:
        storage: Address of the study's database.
        study: Name of the study.
        number: Number of the trial.
        warmup: Epochs in which no trial is stopped.
        startup: Trials that must have finished before any is stopped.
    """

    def __init__(self, storage: str, study: str, number: int, *, warmup: int, startup: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=startup, n_warmup_steps=warmup)
        loaded = optuna.load_study(study_name=study, storage=storage, pruner=pruner)
        self._trial = optuna.trial.Trial(loaded, loaded.get_trials(deepcopy=False)[number]._trial_id)

    @classmethod
    def of_this_run(cls, *, warmup: int, startup: int) -> "OwnTrial | None":
        """The trial named in the environment, or None outside of a search."""
        named = os.environ.get(TRIAL)
        return cls(*json.loads(named), warmup=warmup, startup=startup) if named else None

    def is_hopeless(self, value: float, epoch: int) -> bool:
        """Report a value; True where it is worse than the median of the others at that epoch, as far as is known."""
        import optuna

        try:
            self._trial.report(value, epoch)
            return bool(self._trial.should_prune())
        except optuna.exceptions.OptunaError:
            log.warning("The study's storage is out of reach; training goes on.", exc_info=True)
            return False
