"""The sweeper that searches with Optuna: each next job depends on the results of those before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from brain_tumor.errors import ConfigError, require
from brain_tumor.sweeps.grid import new_plan
from brain_tumor.sweeps.jobs import REPLICATES, Job, Plan, end_record, read_record
from brain_tumor.sweeps.optuna_trials import Trials
from brain_tumor.sweeps.run_jobs import Conductor

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class StudySweeper(Sweeper):
    """Searches with Optuna's TPE, ``n_jobs`` trials at a time; a trial is a job, and their numbers are the same.

    Args:
        n_trials: In all, with those that the study has already.
        n_jobs: At once.
        seed: Of the search.
        startup_trials: Drawn at random at first.
        study_name: Continued, if the storage holds it.
        storage: A file or a database's address; None: ``study.db`` in the sweep's directory.
        params: Key → its range, in Hydra's syntax; the command line wins.
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
    ) -> None:
        for name, value in {"n_trials": n_trials, "n_jobs": n_jobs, "startup_trials": startup_trials}.items():
            require(isinstance(value, int) and value >= 1, f"hydra.sweeper.{name}={value}", "a whole number from 1")
        self._n_trials, self._n_jobs, self._seed, self._startup = n_trials, n_jobs, seed, startup_trials
        self._name, self._storage, self._params = study_name, storage, params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's."""
        self._context, self._config = hydra_context, config
        self._launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if hasattr(self._launcher, "n_jobs"):
            self._launcher.n_jobs = self._n_jobs

    def sweep(self, arguments: list[str]) -> Any:
        """Run the trials that the study still lacks.

        Raises:
            ConfigError: Space, storage or study cannot be used; no job has run.
            SweepError: Jobs failed; all have run.
        """
        parser = OverridesParser.create(config_loader=self._context.config_loader)
        params = [f"{key!s}={value}" for key, value in self._params.items()]
        sweep_dir = Path(self._config.hydra.sweep.dir).absolute()
        trials = Trials(
            self._storage or str(sweep_dir / "study.db"),
            self._name,
            mode=self._config.monitor.mode,
            seed=self._seed,
            startup=self._startup,
            parallel=self._n_jobs > 1,
        )
        space, fixed = read_space(parser.parse_overrides([*params, *arguments]))
        plan = new_plan(self._config, list(space))
        if len(trials) and (sweep_dir / "sweep.json").is_file():
            plan.jobs = Plan.read(sweep_dir).jobs
        OmegaConf.save(self._config, sweep_dir / "multirun.yaml")
        self._recover(trials, plan, sweep_dir)
        with Conductor(self._config, self._context, self._launcher, plan) as conductor:
            conductor.on_end = lambda job, record: trials.tell(job.number, record)
            while (left := self._n_trials - trials.counted()) > 0:
                asked = [trials.ask(space) for _ in range(min(left, self._n_jobs))]
                jobs: list[Job] = []
                for number, overrides, _ in asked:
                    jobs += conductor.add([[*fixed, *overrides]], number)
                conductor.run(jobs, [[identity] for *_, identity in asked])

    @staticmethod
    def _recover(trials: Trials, plan: Plan, sweep_dir: Path) -> None:
        """Of trials that a killed sweep left behind some have finished all the same; the others are tried again."""
        jobs = {job.number: job for job in plan.jobs}
        for number in trials.unfinished():
            job = jobs.get(number)
            record = read_record(sweep_dir / job.folder) if job else {}
            if record.get("status") in ("finished", "pruned", "failed"):
                trials.tell(number, record)
                continue
            trials.give_up(number)
            if job:
                end_record(
                    sweep_dir / job.folder, "failed", "lost when its sweep was killed; its settings are tried again"
                )


def read_space(overrides: Sequence[Override]) -> tuple[dict[str, BaseDistribution], list[str]]:
    """Tell what is searched from what is fixed; of two overrides of one key the later counts.

    Args:
        overrides: ``key=choice(a,b)`` or ``key=a,b`` or a glob, ``range(start,stop,step)``, ``interval(low,high)``,
            each perhaps as ``tag(log,…)`` or ``int(…)``; anything else is fixed.

    Returns:
        Key, with its ``+`` where it has one, → distribution; and the fixed overrides.

    Raises:
        ConfigError: A distribution is invalid, or a seed or fold is among the searched keys.
    """
    last = {override.key_or_group: override for override in overrides}
    space, fixed = {}, []
    for key, override in last.items():
        if not override.is_sweep_override():
            fixed.append(str(override.input_line))
            continue
        text = override.input_line
        require(
            key not in REPLICATES, f"{text} in a search", f"{key} fixed: a search would only find the luckiest {key}"
        )
        try:
            space[override.get_key_element()] = _distribution(override)
        except ValueError as error:
            raise ConfigError(f"{text} cannot be searched: {error}") from error
    require(bool(space), "A search over nothing", "a key to search: 'optimizer.lr=tag(log,interval(1e-4,1e-2))'")
    return space, fixed


def _distribution(override: Override) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep: Any = override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    if unknown := tags - {"log"}:
        raise ValueError(f"the tag {', '.join(map(str, unknown))} means nothing; log does")
    log = "log" in tags
    if isinstance(sweep, IntervalSweep):
        low, high = cast("tuple[float, float]", (sweep.start, sweep.end))
        if isinstance(low, int) and isinstance(high, int):  # int(interval(1,9))
            return IntDistribution(low, high, log=log)
        return FloatDistribution(low, high, log=log)
    if isinstance(sweep, RangeSweep):
        values = list(sweep.range())
        if not values:
            raise ValueError("the range is empty")
        if isinstance(values[0], int):
            return IntDistribution(min(values), max(values), log=log, step=1 if log else abs(int(sweep.step)))
        return FloatDistribution(min(values), max(values), log=log, step=None if log else abs(float(sweep.step)))
    return CategoricalDistribution(list(override.sweep_string_iterator()))
