"""The sweeper that runs every combination of the swept values, in Hydra's own syntax."""

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from brain_tumor.config.sweep_keys import only_value
from brain_tumor.errors import ConfigError
from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.run_jobs import JobRunner


class GridSweeper(BasicSweeper):
    """Hydra's `BasicSweeper` (lists, ranges, globs, ``params``, ``max_batch_size``), but failed jobs do not stop it."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run every combination.

        Raises:
            ConfigError: A job cannot be composed, a glob or range is empty, or a run directory holds an earlier run;
                no job has run.
            SweepError: Some jobs failed; all have run.
        """
        if self.config is None or self.hydra_context is None or self.launcher is None:
            raise RuntimeError("GridSweeper.sweep was called before GridSweeper.setup.")
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        swept = [override for override in overrides if override.is_sweep_override()]
        for override in swept:
            if override.is_discrete_sweep() and next(iter(override.sweep_string_iterator()), None) is None:
                raise ConfigError(f"{override.input_line} matches nothing: expected at least one value to sweep.")
        batches = self.split_arguments(overrides, self.max_batch_size)
        plan = Plan.create(self.config, [override.get_key_element() for override in swept if not only_value(override)])
        with JobRunner(self.config, self.hydra_context, self.launcher, plan) as runner:
            planned = [runner.add(batch, first=len(plan.jobs)) for batch in batches]  # mistakes stop it before any job
            OmegaConf.save(self.config, runner.sweep_dir / "multirun.yaml")
            for jobs in planned:
                runner.run(jobs)
