"""Run the jobs of a sweep with any launcher; a failed job does not stop the others."""

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from brain_tumor.errors import SweepError
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
        self._sigterm_handler: object = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._sigterm_handler = signal.signal(signal.SIGTERM, _exit_on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sigterm_handler is not None:
            signal.signal(signal.SIGTERM, self._sigterm_handler)  # type: ignore[arg-type]
        if not self._plan.jobs:
            return
        if isinstance(self._launcher, ForkedLauncher):  # it has stopped the jobs that were still running
            for job in self._unfinished.values():
                if self._record(job).get("status") == "running":
                    end_record(self.sweep_dir / job.folder, "failed", "the sweep was stopped")
        failed = [job for job in self._added if self._record(job).get("status") == "failed"]
        self._plan.status = "stopped" if error else "failed" if failed else "finished"
        self._plan.write(self.sweep_dir)
        self._summary.write_and_print()
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
            ConfigError: A run directory holds a run already, and neither ``overwrite`` nor ``resume`` is set.
            HydraException: A job cannot be composed.
        """
        jobs = [
            Job(number, self._folder(overrides, number), [*overrides]) for number, overrides in enumerate(batch, first)
        ]
        reset_records(
            [self.sweep_dir / job.folder for job in jobs],
            overwrite=self._config.get("overwrite", True),
            resume=self._config.get("resume") == "auto",
        )
        self._plan.jobs += jobs
        self._added += jobs
        self._plan.write(self.sweep_dir)
        return jobs

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

    def _record(self, job: Job) -> dict[str, Any]:
        return read_record(self.sweep_dir / job.folder)

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


def _exit_on_signal(number: int, _: FrameType | None) -> NoReturn:
    """End the sweep on SIGTERM as on Ctrl-C: stop the jobs and write the summary."""
    raise SystemExit(128 + number)
