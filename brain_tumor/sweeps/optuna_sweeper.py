"""The sweeper that searches with Optuna: each trial depends on the results of the trials before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from brain_tumor.config.sweep_keys import only_value
from brain_tumor.errors import ConfigError, require
from brain_tumor.run_dir.record import read_record
from brain_tumor.sweeps.jobs import REPLICATES, Plan, end_record
from brain_tumor.sweeps.optuna_study import Condition, OptunaStudy
from brain_tumor.sweeps.run_jobs import JobRunner

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


_MAX_EXAMPLES = 64
"""Combinations that are tried to find one that can be composed."""


class OptunaSweeper(Sweeper):
    """Sweeper that searches with Optuna's TPE sampler; each trial is a job of the same number.

    Args:
        n_trials: Number of trials of the study, including those of earlier sweeps.
        n_jobs: Number of trials that run at the same time.
        seed: Seed of the search.
        startup_trials: Number of trials that are drawn at random before the search learns from earlier ones.
        study_name: Name of the study, which is continued if the storage holds it.
        storage: Path of an SQLite file or address of a database; None is ``study.db`` in the sweep's directory.
        params: Key → its values, in Hydra's syntax; the command line takes precedence.
        conditions: Key → the choice that it belongs to, as ``optimizer=sgd``; it is not part of other trials.

    Raises:
        ConfigError: ``n_trials``, ``n_jobs`` or ``startup_trials`` is not a whole number from 1.
    """

    def __init__(
        self,
        n_trials: int,
        n_jobs: int,
        seed: int,
        startup_trials: int,
        study_name: str,
        storage: str | None,
        params: DictConfig,
        conditions: DictConfig,
    ) -> None:
        for name, value in {"n_trials": n_trials, "n_jobs": n_jobs, "startup_trials": startup_trials}.items():
            require(isinstance(value, int) and value >= 1, f"hydra.sweeper.{name}={value}", "a whole number from 1")
        self._n_trials, self._n_jobs, self._seed, self._startup_trials = n_trials, n_jobs, seed, startup_trials
        self._study_name, self._storage, self._params, self._conditions = study_name, storage, params, conditions

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Build the launcher; called by Hydra."""
        self._context, self._config = hydra_context, config
        self._launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if hasattr(self._launcher, "n_jobs"):
            self._launcher.n_jobs = self._n_jobs

    def sweep(self, arguments: list[str]) -> Any:
        """Run trials until the study has ``n_trials`` of them.

        Raises:
            ConfigError: The search space, the storage or the study cannot be used; no job has run.
            SweepError: Some jobs failed; all have run.
        """
        sweep_dir = Path(self._config.hydra.sweep.dir).absolute()
        study = OptunaStudy(
            self._storage or str(sweep_dir / "study.db"),
            self._study_name,
            mode=self._config.monitor.mode,
            seed=self._seed,
            startup_trials=self._startup_trials,
            parallel=self._n_jobs > 1,
        )
        parser = OverridesParser.create(config_loader=self._context.config_loader)
        params = [f"{key!s}={value}" for key, value in self._params.items()]
        space, fixed = read_space(parser.parse_overrides([*params, *arguments]))
        space, conditions = apply_conditions(self._conditions, space, fixed)
        plan = Plan.create(self._config, list(space))
        if len(study) and (sweep_dir / "sweep.json").is_file():
            plan.jobs = Plan.read(sweep_dir).jobs
        OmegaConf.save(self._config, sweep_dir / "multirun.yaml")
        _recover(study, plan, sweep_dir)
        with JobRunner(
            self._config,
            self._context,
            self._launcher,
            plan,
            on_end=lambda job, record: study.tell(job.number, record),
            total=self._n_trials,
        ) as runner:
            runner.require_one_that_composes([[*fixed, *trial] for trial in example_trials(space, conditions)])
            while (remaining := self._n_trials - study.count_completed()) > 0:
                trials = [study.ask(space, conditions) for _ in range(min(remaining, self._n_jobs))]
                added = [runner.add_or_fail([*fixed, *trial.overrides], trial.number) for trial in trials]
                hydra_overrides = {trial.number: [trial.hydra_override] for trial in trials}
                jobs = [job for job in added if job is not None]
                runner.run(jobs, [hydra_overrides[job.number] for job in jobs])


def _recover(study: OptunaStudy, plan: Plan, sweep_dir: Path) -> None:
    """Record the outcomes of trials that finished when their sweep was killed, and retry those that did not."""
    jobs = {job.number: job for job in plan.jobs}
    for number in study.unfinished():
        job = jobs.get(number)
        record = read_record(sweep_dir / job.folder) if job else {}
        if record.get("status") in ("finished", "pruned", "failed"):
            study.tell(number, record)
            continue
        study.retry(number)
        if job:
            reason = "lost when its sweep was killed; its settings are tried again"
            end_record(sweep_dir / job.folder, "failed", reason)


def read_space(overrides: Sequence[Override]) -> tuple[dict[str, BaseDistribution], list[str]]:
    """Split overrides into the search space and fixed settings; of two overrides of one key the later one counts.

    Args:
        overrides: Parsed overrides. ``key=choice(a,b)``, ``key=a,b``, a glob, ``range(start,stop,step)`` and
            ``interval(low,high)``, each also as ``tag(log,…)`` or ``int(…)``, are searched; all others are fixed.

    Returns:
        Key, with its ``+`` if it has one, → distribution; and the fixed overrides.

    Raises:
        ConfigError: A distribution is invalid, a seed or fold is to be searched, or nothing is.
    """
    last = {override.key_or_group: override for override in overrides}
    space, fixed = {}, []
    for key, override in last.items():
        text = str(override.input_line)
        if (alone := only_value(override)) or not override.is_sweep_override():
            fixed.append(alone or text)
            continue
        require(
            key not in REPLICATES,
            f"{text} in a search",
            f"a fixed {key}, as a search would only find the luckiest {key}",
        )
        try:
            space[override.get_key_element()] = _distribution(override)
        except ValueError as error:
            raise ConfigError(f"{text} cannot be searched: {error}") from error
    if not space:
        raise ConfigError(
            "The search has no key to vary; add one, such as 'optimizer.lr=tag(log,interval(1e-4,1e-2))'."
        )
    return space, fixed


def apply_conditions(
    conditions: Mapping[Any, Any], space: Mapping[str, BaseDistribution], fixed: Sequence[str]
) -> tuple[dict[str, BaseDistribution], dict[str, Condition]]:
    """Check conditions, and decide those on keys that are fixed.

    Args:
        conditions: Key → ``OTHER_KEY=VALUE`` or ``OTHER_KEY=VALUE,VALUE``, in which it is searched.
        space: Search space.
        fixed: Overrides that are the same in all trials.

    Returns:
        The search space without keys that belong to no trial, and the conditions that depend on the trial.

    Raises:
        ConfigError: A condition is malformed, or names a key that not every trial has.
    """
    names = {key.lstrip("+"): key for key in space}
    constant = {key.lstrip("+"): value for key, _, value in (text.partition("=") for text in fixed)}
    kept, found = dict(space), dict[str, Condition]()
    for name, text in conditions.items():
        key, separator, listed = str(text).partition("=")
        values = tuple(listed.split(","))
        require(
            bool(separator) and (key in constant or (key in names and key not in conditions)),
            f"hydra.sweeper.conditions: {name}: {text}",
            "KEY=VALUE of a key that all trials have, as in hparams_search=optuna_conditional",
        )
        if name not in names:  # the command line fixes it
            continue
        if key not in constant:
            found[names[name]] = Condition(names[key], values)
        elif constant[key] not in values:
            del kept[names[name]]
    return kept, found


def example_trials(space: Mapping[str, BaseDistribution], conditions: Mapping[str, Condition]) -> list[list[str]]:
    """Return overrides of example trials: combinations of the searched options of groups, with one value per other key.

    Args:
        space: Search space.
        conditions: Conditions of its keys.
    """
    deciding = {condition.key for condition in conditions.values()}
    values = []
    for key, distribution in space.items():
        choices = getattr(distribution, "choices", None) or (distribution.low,)
        values.append(choices if "." not in key or key in deciding else choices[:1])
    trials = []
    for chosen in islice(product(*values), _MAX_EXAMPLES):
        params = dict(zip(space, chosen, strict=True))
        kept = [key for key in params if key not in conditions or conditions[key].holds(params)]
        trials.append([f"{key}={params[key]}" for key in kept])
    return trials


def _distribution(override: Override) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep: Any = override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    unknown = sorted(map(str, tags - {"log"}))
    if unknown:
        raise ValueError(f"the tag {', '.join(unknown)} is unknown; expected log.")
    log = "log" in tags
    if isinstance(sweep, IntervalSweep):
        low, high = cast("tuple[float, float]", (sweep.start, sweep.end))
        if isinstance(low, int) and isinstance(high, int):  # as of int(interval(1,9))
            return IntDistribution(low, high, log=log)
        return FloatDistribution(low, high, log=log)
    if isinstance(sweep, RangeSweep):
        values = list(sweep.range())
        if not values:
            raise ValueError("the range is empty.")
        if isinstance(values[0], int):
            return IntDistribution(min(values), max(values), log=log, step=1 if log else abs(int(sweep.step)))
        return FloatDistribution(min(values), max(values), log=log, step=None if log else abs(float(sweep.step)))
    return CategoricalDistribution(list(override.sweep_string_iterator()))
