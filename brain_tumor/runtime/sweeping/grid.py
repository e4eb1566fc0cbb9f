"""The sweeper of every combination: Hydra's own syntax, but a failed job does not end the sweep."""

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.runtime.sweeping.conducting import Conductor
from brain_tumor.runtime.sweeping.jobs import Job
from brain_tumor.runtime.sweeping.planning import new_plan


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
