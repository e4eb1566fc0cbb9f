"""An Optuna study that survives the sweep it belongs to."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brain_tumor.callbacks.trial import TRIAL
from brain_tumor.config.compose import explain
from brain_tumor.errors import ConfigError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

MISSING = "hparams_search=optuna needs a package that is not installed: pip install 'brain-tumor[sweep]'"


class Trials:
    """Asks a study for settings and tells it what came of them.

    Args:
        storage: A file, made if it is missing, or a database's address.
        name: Of the study; one of that name in the storage is continued.
        mode: ``max`` or ``min``.
        seed: Of the search. Each trial's proposal depends on it, the trial's number and the trials before: a study that
            was interrupted goes on as if it had not been.
        startup: Trials drawn at random before the search (TPE) learns from the others.
        parallel: Several are asked for before the first is told.

    Raises:
        ConfigError: Optuna is not installed, the storage cannot be opened, or holds a study that cannot be continued.
    """

    def __init__(self, storage: str, name: str, *, mode: str, seed: int, startup: int, parallel: bool) -> None:
        self._address = storage if "://" in storage else f"sqlite:///{Path(storage).expanduser().absolute()}"
        self._seed, self._startup, self._parallel = seed, startup, parallel
        self._study = _open(self._address, name, "maximize" if mode == "max" else "minimize")

    def __len__(self) -> int:
        return len(self._study.get_trials(deepcopy=False))

    def counted(self) -> int:
        """Trials that came to an end of their own: finished, pruned, or failed for a reason."""
        return sum(
            trial.state.name in ("COMPLETE", "PRUNED") or (trial.state.name == "FAIL" and "reason" in trial.user_attrs)
            for trial in self._study.get_trials(deepcopy=False)
        )

    def unfinished(self) -> list[int]:
        """Numbers of trials that a killed sweep has left running."""
        return [trial.number for trial in self._study.get_trials(deepcopy=False) if trial.state.name == "RUNNING"]

    def ask(self, space: dict[str, BaseDistribution]) -> tuple[int, list[str], str]:
        """The next trial.

        Returns:
            Its number, its overrides, and one more that tells the job which trial it is.

        Raises:
            ConfigError: The study was begun with another space.
        """
        import numpy as np
        import optuna

        number = len(self)
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=self._startup, constant_liar=self._parallel
            )
        try:
            trial = self._study.ask(space)
        except ValueError as error:
            raise ConfigError(
                f"The study {self._study.study_name} was begun with other choices ({explain(error)}); keep them, or "
                "set another hydra.sweeper.study_name."
            ) from error
        identity = json.dumps([self._address, self._study.study_name, trial.number]).replace("'", r"\'")
        overrides = [f"{key}={value}" for key, value in trial.params.items()]
        return trial.number, overrides, f"+hydra.job.env_set.{TRIAL}='{identity}'"

    def tell(self, number: int, record: dict[str, Any]) -> None:
        """Tell how a trial ended.

        Args:
            number: The trial's.
            record: Its ``run.json``.
        """
        from optuna.trial import TrialState

        status, score = record.get("status"), record.get("training", {}).get("best")
        if status == "finished" and score is not None:
            self._study.tell(number, score)
        elif status == "pruned":
            self._study.tell(number, state=TrialState.PRUNED)
        else:
            self._note(number, reason=record.get("reason") or f"ended as {status}, without a score")
            self._study.tell(number, state=TrialState.FAIL)

    def give_up(self, number: int) -> None:
        """Note that a trial was lost with its sweep, and have its settings tried again; it does not count."""
        from optuna.trial import TrialState

        trial = self._study.tell(number, state=TrialState.FAIL)
        self._study.enqueue_trial(trial.params)

    def _note(self, number: int, **facts: str) -> None:
        import optuna

        trial = optuna.trial.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)
        for name, value in facts.items():
            trial.set_user_attr(name, value)


def _open(address: str, name: str, direction: str) -> Study:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(MISSING) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if address.startswith("sqlite:///"):
            Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(storage=address, study_name=name, direction=direction, load_if_exists=True)
    except Exception as error:  # each database has errors of its own
        raise ConfigError(f"hydra.sweeper.storage={address} cannot be opened: {explain(error)}") from error
    if study.direction.name.lower() != direction:
        raise ConfigError(
            f"The study {name} in {address} is to {study.direction.name.lower()}, and monitor.mode asks to "
            f"{direction}; set another hydra.sweeper.study_name."
        )
    return study
