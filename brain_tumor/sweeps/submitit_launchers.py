"""Submitit's launchers (this machine, Slurm), changed to wait for all jobs of a sweep even if some are killed."""

import logging
from collections.abc import Sequence
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher

from brain_tumor.errors import JobError

log = logging.getLogger(__name__)


class _TolerantLauncher(BaseSubmititLauncher):  # type: ignore[misc]
    """Submitit launcher whose ``launch`` waits for all jobs; the parent's raises at the first job that was killed."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the jobs as one array, wait for all, and return their outcomes, in the order of the jobs."""
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
        states = [Singleton.get_state()] * len(numbers)
        names = [f"job_id_for_{number}" for number in numbers]
        jobs = self.executor().map_array(
            self, list(map(list, job_overrides)), ["hydra.sweep.dir"] * len(numbers), numbers, names, states
        )
        for number, job in zip(numbers, jobs, strict=True):
            log.info("#%d is %s job %s", number, self._EXECUTOR, job.job_id)
        return [self._outcome(job) for job in jobs]

    def executor(self) -> Any:
        """Return Submitit's executor with the parameters of ``hydra.launcher``."""
        import submitit

        params = dict(self.params)
        options = {"folder": params.pop("submitit_folder")}
        if "max_num_timeout" in params:
            options[f"{self._EXECUTOR}_max_num_timeout"] = params.pop("max_num_timeout")
        executor = submitit.AutoExecutor(cluster=self._EXECUTOR, **options)
        shared = set(BaseQueueConf.__dataclass_fields__)  # other parameters take the name of their executor as prefix
        executor.update_parameters(
            **{name if name in shared else f"{self._EXECUTOR}_{name}": value for name, value in params.items()}
        )
        return executor

    def _outcome(self, job: Any) -> JobReturn:
        try:
            outcome: JobReturn = job.results()[0]
        except Exception as error:  # Submitit raises errors of many types for a job that was killed
            log.debug("%s job %s", self._EXECUTOR, job.job_id, exc_info=error)
            reason = (
                f"{self._EXECUTOR} job {job.job_id} ended without a result (state: {job.state}; see {job.paths.stderr})"
            )
            return JobReturn(status=JobStatus.FAILED, _return_value=JobError(reason))
        return outcome


class LocalLauncher(_TolerantLauncher):
    """Launcher of processes on this machine."""

    _EXECUTOR = "local"


class SlurmLauncher(_TolerantLauncher):
    """Launcher of jobs in a Slurm queue."""

    _EXECUTOR = "slurm"
