"""Run the jobs of a sweep with any launcher; a failed job does not stop the others."""

import logging
import shlex
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from brain_tumor.config.compose import explain
from brain_tumor.errors import ConfigError, PreemptedError, SweepError
from brain_tumor.run_dir.record import read_record
from brain_tumor.sweeps.forked_launcher import ForkedLauncher
from brain_tumor.sweeps.jobs import FINAL_STATUSES, Job, Plan, end_record, failure_reason, reset_records
from brain_tumor.sweeps.summary import Summary

log = logging.getLogger(__name__)


class JobRunner:
    """Context manager that runs the jobs of a sweep and keeps its summary; on exit it prints the summary.

    Whatever happens to a job, ``run.json`` in its run directory says afterwards how it ended.

    Args:
        config: Configuration of the sweep, with ``hydra``.
        context: Hydra's context, which composes the configurations of the jobs.
        launcher: Any launcher; it may raise when a job fails, and may lose jobs.
        plan: Plan of the sweep; jobs are added to those that it holds.
        on_end: Function that is called with each job that has ended, and its ``run.json``.
        total: Number of jobs that the sweep will have; None: those of the plan.

    Raises:
        PreemptedError: On exit, if a signal stopped the sweep.
        SweepError: On exit, if jobs failed.
    """

    def __init__(
        self,
        config: DictConfig,
        context: HydraContext,
        launcher: Launcher,
        plan: Plan,
        on_end: Callable[[Job, dict[str, Any]], None] | None = None,
        total: int | None = None,
    ) -> None:
        self.sweep_dir = Path(config.hydra.sweep.dir).absolute()
        self._config, self._context, self._launcher = config, context, launcher
        self._plan, self._on_end, self._total = plan, on_end, total
        self._summary = Summary(self.sweep_dir)
        self._added: list[Job] = []
        self._unfinished: dict[int, Job] = {}
        self._refused = 0
        self._example: Sequence[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._plan.jobs:
            return
        if isinstance(self._launcher, ForkedLauncher):  # it has stopped the jobs that were still running
            for job in self._unfinished.values():
                if self._record(job).get("status") == "running":
                    end_record(self.sweep_dir / job.folder, getattr(error, "status", "failed"), "the sweep was stopped")
        failed = [job for job in self._added if self._record(job).get("status") == "failed"]
        self._plan.status = "stopped" if error else "failed" if failed else "finished"
        self._plan.write(self.sweep_dir)
        self._summary.write_and_print()
        if self._refused and error is None:
            raise SweepError(
                f"{self._refused} of {len(self._added)} jobs are finished and were not changed; see above."
            )
        if isinstance(error, PreemptedError):  # of the sweep, or of a job in this process
            raise PreemptedError(error.number, self._how_to_go_on()) from None
        if failed and error is None:
            raise SweepError(
                f"{len(failed)} of {len(self._added)} jobs failed; the reasons are in {self.sweep_dir / 'sweep.csv'}."
            )

    def add(self, batch: Sequence[Sequence[str]], first: int) -> list[Job]:
        """Add jobs to the plan, each with its own run directory.

        Args:
            batch: Overrides of each job.
            first: Number of the first job; the others follow.

        Raises:
            ConfigError: A run directory holds a run already, and neither ``overwrite`` nor ``resume`` is set; or a job
                cannot be composed.
        """
        jobs = [self._job(number, [*overrides]) for number, overrides in enumerate(batch, first)]
        self._add(jobs)
        return jobs

    def _add(self, jobs: list[Job]) -> None:
        reset_records(
            [self.sweep_dir / job.folder for job in jobs],
            overwrite=self._config.get("overwrite", True),
            resume=self._config.get("resume") == "auto",
        )
        self._plan.jobs += jobs
        self._added += jobs
        self._plan.write(self.sweep_dir)

    def add_or_fail(self, overrides: Sequence[str], number: int) -> Job | None:
        """Add a job of a search; one that cannot be composed has failed, and is reported and recorded as such.

        Returns:
            The job, or None if it has failed.
        """
        try:
            job = self._job(number, [*overrides])
        except ConfigError as error:
            job = Job(number, self._folder(self._example, number), [*overrides])
            self._add([job])
            self._unfinished[number] = job
            self._end_job(number, JobReturn(status=JobStatus.FAILED, _return_value=error))
            return None
        self._add([job])
        return job

    def require_one_that_composes(self, batch: Sequence[Sequence[str]]) -> None:
        """Check that jobs of a search can be composed at all; those that cannot get their folder as the first that can.

        Args:
            batch: Overrides of examples.

        Raises:
            HydraException: None of them can be composed; that of the last one.
        """
        for number, overrides in enumerate(batch, start=1):
            try:
                self._folder(overrides, 0)
            except (HydraException, OmegaConfBaseException):
                if number == len(batch):
                    raise
            else:
                self._example = overrides
                return

    def run(self, jobs: Sequence[Job], hydra_overrides: Sequence[Sequence[str]] | None = None) -> None:
        """Run jobs until all of them have ended.

        Args:
            jobs: Jobs that `add` returned.
            hydra_overrides: Further overrides of each job, which are not part of its settings.
        """
        self._unfinished = {job.number: job for job in jobs}
        overrides = {
            job.number: [*job.overrides, *further]
            for job, further in zip(jobs, hydra_overrides or [()] * len(jobs), strict=True)
        }
        if isinstance(self._launcher, ForkedLauncher):
            self._launcher.on_end = self._end_job
            self._launcher.total = self._total or len(self._plan.jobs)
        # BasicLauncher runs jobs one after another in this process: one job per launch is recorded as soon as it ends
        if not isinstance(self._launcher, BasicLauncher):
            for numbers in _consecutive(list(self._unfinished)):
                self._launch(numbers, overrides)
            if self._unfinished:
                log.warning(
                    "%d jobs were lost when another job was killed; they are started again, one at a time.",
                    len(self._unfinished),
                )
                if "resume" in self._config:  # they go on from their last checkpoint
                    overrides = {number: [*texts, "resume=auto"] for number, texts in overrides.items()}
        for number in list(self._unfinished):
            self._launch([number], overrides)
        self._summary.update(page=True)

    def _launch(self, numbers: Sequence[int], overrides: dict[int, list[str]]) -> None:
        """Launch jobs together; those that are lost without a record of their end stay unfinished, unless alone."""
        try:
            outcomes = self._launcher.launch([overrides[number] for number in numbers], initial_job_idx=numbers[0])
        except Exception as error:
            # some launchers raise when a job fails: only the records say which one, and what became of the others
            failure = JobReturn(status=JobStatus.FAILED, _return_value=error)
            for number in numbers:
                job = self._unfinished.get(number)
                if job and (len(numbers) == 1 or self._record(job).get("status") in FINAL_STATUSES):
                    self._end_job(number, failure)
        else:
            for number, outcome in zip(numbers, outcomes, strict=True):
                self._end_job(number, outcome)

    def _end_job(self, number: int, outcome: JobReturn) -> None:
        """Complete the record of a job that has ended, and log and report it."""
        job = self._unfinished.pop(number, None)
        if job is None:  # ForkedLauncher has reported the end before
            return
        record = self._record(job)
        if outcome.status == JobStatus.FAILED and record.get("status") == "finished":  # refused; its results stay
            log.warning("#%d is finished and stays as it was: %s", number, failure_reason(outcome._return_value))
            self._refused += 1
            return
        if record.get("status") not in FINAL_STATUSES:
            if outcome.status == JobStatus.COMPLETED:
                end_record(self.sweep_dir / job.folder, "finished")
            else:
                end_record(self.sweep_dir / job.folder, "failed", failure_reason(outcome._return_value))
            record = self._record(job)
        score = record.get("training", {}).get("best")
        detail = record.get("reason") or (f"{self._plan.metric} {score:.4f}" if score is not None else "")
        log.info("#%d %s%s", number, record["status"], f": {detail}" if detail else "")
        if self._on_end:
            self._on_end(job, record)
        self._summary.update()

    def _how_to_go_on(self) -> str:
        if "resume" not in self._config:
            return "the table shows which jobs have run"
        return f"{shlex.join(['brain-tumor', self._plan.verb, f'resume={self.sweep_dir}'])} continues it"

    def _record(self, job: Job) -> dict[str, Any]:
        return read_record(self.sweep_dir / job.folder)

    def _job(self, number: int, overrides: list[str]) -> Job:
        try:
            return Job(number, self._folder(overrides, number), overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(f"Job {number} ({' '.join(overrides)}) cannot be composed. {explain(error)}") from error

    def _folder(self, overrides: Sequence[str], number: int) -> str:
        """Return the run directory that Hydra will give to a job, as `Job.folder`."""
        config = self._context.config_loader.load_sweep_config(self._config, [*overrides])
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        previous = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(config)  # ${hydra:…} is resolved from there
        try:
            folder = Path(config.hydra.sweep.dir).absolute() / str(config.hydra.sweep.subdir)
        finally:
            HydraConfig.instance().cfg = previous
        return str(folder.relative_to(self.sweep_dir) if folder.is_relative_to(self.sweep_dir) else folder)


def _consecutive(numbers: list[int]) -> list[list[int]]:
    """Split numbers into runs without a gap: a launcher numbers the jobs of one launch consecutively."""
    groups = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    return [[number for _, number in group] for _, group in groups]
