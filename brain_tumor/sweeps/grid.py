"""The sweeper of every combination: Hydra's own syntax, but a failed job does not end the sweep."""

from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.sweeps.jobs import Job, Plan
from brain_tumor.sweeps.run_jobs import Conductor


class GridSweeper(BasicSweeper):
    """Hydra's `BasicSweeper` (lists, ranges, globs, ``params``, ``max_batch_size``), going on after failed jobs."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run every combination.

        Raises:
            HydraException: A job cannot be composed; none has run.
            ConfigError: A glob or range is empty, or earlier runs lie where jobs are to run; none has run.
            SweepError: Jobs failed; all have run.
        """
        if self.config is None or self.hydra_context is None or self.launcher is None:
            raise RuntimeError("setup() comes first")
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        swept = [override for override in overrides if override.is_sweep_override()]
        for override in swept:
            if override.is_discrete_sweep() and next(iter(override.sweep_string_iterator()), None) is None:
                raise ConfigError(f"{override.input_line} matches nothing; there is no job to run.")
        batches = self.split_arguments(overrides, self.max_batch_size)
        plan = new_plan(self.config, [override.get_key_element() for override in swept])
        with Conductor(self.config, self.hydra_context, self.launcher, plan) as conductor:
            planned: list[list[Job]] = []
            for batch in batches:
                planned.append(conductor.add(batch, sum(len(jobs) for jobs in planned)))
            OmegaConf.save(self.config, conductor.sweep_dir / "multirun.yaml")
            for jobs in planned:
                conductor.run(jobs)


def new_plan(config: DictConfig, swept: list[str]) -> Plan:
    """A plan without jobs, in a directory that is there.

    Raises:
        ConfigError: The sweep's directory cannot be made.
    """
    folder = Path(config.hydra.sweep.dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The sweep's directory {folder} cannot be made ({error}); set hydra.sweep.dir.") from error
    return Plan(
        verb=config.hydra.job.config_name,
        metric=OmegaConf.select(config, "monitor.metric"),
        mode=OmegaConf.select(config, "monitor.mode"),
        swept=list(dict.fromkeys(key.lstrip("+~") for key in swept)),
    )
