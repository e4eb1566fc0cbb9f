"""An Optuna study in a storage, which an interrupted search continues."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from brain_tumor.callbacks.optuna_trial import TRIAL
from brain_tumor.config.compose import explain
from brain_tumor.errors import ConfigError

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution


class Condition(NamedTuple):
    """The choice that a searched key belongs to."""

    key: str
    values: tuple[str, ...]

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Return whether the settings of a trial have one of the values."""
        return str(params.get(self.key)) in self.values


class ProposedTrial(NamedTuple):
    """A trial that the study proposes, to be run as a job."""

    number: int
    overrides: list[str]
    """Overrides that set the searched keys."""
    hydra_override: str
    """Override that passes storage, study and number to the job, in an environment variable."""


class OptunaStudy:
    """Study that proposes settings and learns from their scores (Optuna's ask-and-tell interface).

    The proposal of each trial depends on the seed, the number of the trial and the trials before it: an interrupted
    search continues as if it had not been interrupted.

    Args:
        storage: Path of an SQLite file, created if it is missing, or address of a database.
        name: Name of the study; if the storage holds a study of that name, it is continued.
        mode: ``max`` if a higher score is better, ``min`` if a lower one is.
        seed: Seed of the search.
        startup_trials: Number of trials that are drawn at random before the search (TPE) learns from earlier ones.
        parallel: Whether several trials run at the same time.

    Raises:
        ConfigError: Optuna is not installed, the storage cannot be opened, or the study in it has the other direction.
    """

    def __init__(self, storage: str, name: str, *, mode: str, seed: int, startup_trials: int, parallel: bool) -> None:
        self._address = storage if "://" in storage else f"sqlite:///{Path(storage).expanduser().absolute()}"
        self._seed, self._startup_trials, self._parallel = seed, startup_trials, parallel
        self._study = _open(self._address, name, mode)

    def __len__(self) -> int:
        return len(self._study.get_trials(deepcopy=False))

    def count_completed(self) -> int:
        """Count the trials that finished, were pruned or failed, without those that were lost with their sweep."""
        return sum(
            trial.state.name in ("COMPLETE", "PRUNED") or (trial.state.name == "FAIL" and "reason" in trial.user_attrs)
            for trial in self._study.get_trials(deepcopy=False)
        )

    def unfinished(self) -> list[int]:
        """Return the numbers of trials that are still marked as running."""
        return [trial.number for trial in self._study.get_trials(deepcopy=False) if trial.state.name == "RUNNING"]

    def ask(self, space: dict[str, BaseDistribution], conditions: Mapping[str, Condition] = {}) -> ProposedTrial:
        """Propose the next trial.

        Args:
            space: Key → distribution of its values.
            conditions: Key → the choice of another key without which it is not part of a trial.

        Raises:
            ConfigError: The study was started with a different search space.
        """
        import numpy as np
        import optuna

        number = len(self)
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=self._startup_trials, constant_liar=self._parallel
            )
        try:
            trial = self._study.ask({key: space[key] for key in space if key not in conditions})
            for key, condition in conditions.items():
                if condition.holds(trial.params):
                    _suggest(trial, key, space[key])
        except ValueError as error:
            raise ConfigError(
                f"The study {self._study.study_name} was started with a different search space ({explain(error)}); use "
                "that one, or set another hydra.sweeper.study_name."
            ) from error
        address = json.dumps([self._address, self._study.study_name, trial.number]).replace("'", r"\'")
        return ProposedTrial(
            number=trial.number,
            overrides=[f"{key}={value}" for key, value in trial.params.items()],
            hydra_override=f"+hydra.job.env_set.{TRIAL}='{address}'",
        )

    def tell(self, number: int, record: dict[str, Any]) -> None:
        """Record the outcome of a trial.

        Args:
            number: Number of the trial.
            record: Content of ``run.json`` of its job.
        """
        import optuna

        status, score = record.get("status"), record.get("training", {}).get("best")
        if status == "finished" and score is not None:
            self._study.tell(number, score)
        elif status == "pruned":
            self._study.tell(number, state=optuna.trial.TrialState.PRUNED)
        else:
            stored = optuna.trial.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)
            stored.set_user_attr("reason", record.get("reason") or f"ended as {status}, without a score")
            self._study.tell(number, state=optuna.trial.TrialState.FAIL)

    def retry(self, number: int) -> None:
        """Record that a trial was lost with its sweep, and propose its settings again; `count_completed` ignores it."""
        from optuna.trial import TrialState

        trial = self._study.tell(number, state=TrialState.FAIL)
        self._study.enqueue_trial(trial.params)


def _suggest(trial: Trial, key: str, distribution: BaseDistribution) -> None:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match distribution:
        case CategoricalDistribution(choices=choices):
            trial.suggest_categorical(key, choices)
        case FloatDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_float(key, low, high, step=step, log=log)
        case IntDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_int(key, low, high, step=step, log=log)


def _open(address: str, name: str, mode: str) -> Study:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "hparams_search=optuna needs a package that is not installed: pip install 'brain-tumor[sweep]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = "maximize" if mode == "max" else "minimize"
    try:
        if address.startswith("sqlite:///"):
            Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(storage=address, study_name=name, direction=direction, load_if_exists=True)
    except Exception as error:  # each database raises errors of its own types
        raise ConfigError(f"hydra.sweeper.storage={address} cannot be opened: {explain(error)}") from error
    if study.direction.name.lower() != direction:
        raise ConfigError(
            f"The study {name} in {address} was started to {study.direction.name.lower()} the monitored metric, but "
            f"monitor.mode={mode} asks to {direction} it; set another hydra.sweeper.study_name."
        )
    return study
