"""Run the jobs of a sweep with any launcher: a job that fails takes no other along, and each is accounted for."""

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
from brain_tumor.sweeps.fork import ForkedLauncher
from brain_tumor.sweeps.jobs import ENDED, Job, Plan, clear_records, end_record, one_sentence, read_record
from brain_tumor.sweeps.summary import Summary

log = logging.getLogger(__name__)


class Conductor:
    """A context in which a sweep runs; on leaving, its summary is complete.

    Args:
        config: Composed for the sweep.
        context: Hydra's.
        launcher: Any; it may raise at a failed job, and may lose jobs.
        plan: Goes on from the jobs that it holds.
    """

    def __init__(self, config: DictConfig, context: HydraContext, launcher: Launcher, plan: Plan) -> None:
        self.sweep_dir = Path(config.hydra.sweep.dir).absolute()
        self.plan = plan
        self.on_end: Callable[[Job, dict[str, Any]], None] = lambda *_: None
        """Called with each job that has ended, and its ``run.json``."""
        self._config, self._context, self._launcher = config, context, launcher
        self._summary = Summary(self.sweep_dir)
        self._added: list[Job] = []
        self._open: dict[int, Job] = {}
        self._sigterm: object = None

    def add(self, batch: Sequence[Sequence[str]], first: int) -> list[Job]:
        """Plan jobs, numbered from ``first``, each with a run directory of its own.

        Raises:
            ConfigError: There lies a run already, and ``overwrite`` does not say that it may go.
            HydraException: A job cannot be composed.
        """
        jobs = [
            Job(number, self._folder(overrides, number), [*overrides]) for number, overrides in enumerate(batch, first)
        ]
        clear_records(
            [self.sweep_dir / job.folder for job in jobs],
            overwrite=self._config.get("overwrite", True),
            resume=self._config.get("resume") == "auto",
        )
        self.plan.jobs += jobs
        self._added += jobs
        self.plan.write(self.sweep_dir)
        return jobs

    def run(self, jobs: Sequence[Job], extras: Sequence[Sequence[str]] | None = None) -> None:
        """Run jobs to their ends, whatever these are; ``run.json`` of each says it afterwards.

        Args:
            jobs: Of `add`.
            extras: Further overrides of each, for Hydra alone.
        """
        self._open = {job.number: job for job in jobs}
        overrides = {
            job.number: [*job.overrides, *extra] for job, extra in zip(jobs, extras or [()] * len(jobs), strict=True)
        }
        together = not isinstance(self._launcher, BasicLauncher)  # runs in this process: what it loses is one job
        if isinstance(self._launcher, ForkedLauncher):
            self._launcher.on_end = self._settle
        if together:
            for numbers in _consecutive(list(self._open)):
                self._launch(numbers, overrides)
            if self._open:
                log.warning("%d jobs were lost with others; they are started again, one at a time.", len(self._open))
        for number in list(self._open):
            self._launch([number], overrides)
        self._summary.update()

    def _launch(self, numbers: Sequence[int], overrides: dict[int, list[str]]) -> None:
        """Hand jobs to the launcher; one that is alone is settled afterwards, of several those that are known."""
        try:
            outcomes = self._launcher.launch([overrides[number] for number in numbers], initial_job_idx=numbers[0])
        except Exception as error:
            # a launcher's way to report a failed job: which one it was, and what became of the others, the disk says
            lost = JobReturn(status=JobStatus.FAILED, _return_value=error)
            for number in numbers:
                if len(numbers) == 1 or read_record(self._run_dir(number)).get("status") in ENDED:
                    self._settle(number, lost)
        else:
            for number, outcome in zip(numbers, outcomes, strict=True):
                self._settle(number, outcome)

    def _settle(self, number: int, outcome: JobReturn) -> None:
        """See to it that a job's record says how it ended."""
        job = self._open.pop(number, None)
        if job is None:  # the launcher has told already
            return
        run_dir = self.sweep_dir / job.folder
        record = read_record(run_dir)
        if record.get("status") not in ENDED:
            failed = outcome.status != JobStatus.COMPLETED
            reason = one_sentence(outcome._return_value) if failed else None
            end_record(run_dir, "failed" if failed else "finished", reason)
            record = read_record(run_dir)
        score = record.get("training", {}).get("best")
        found = record.get("reason") or (f"{self.plan.metric} {score:.4f}" if score is not None else "")
        log.info("#%d %s%s", number, record["status"], f": {found}" if found else "")
        self.on_end(job, record)
        self._summary.update_soon()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._sigterm = signal.signal(signal.SIGTERM, _stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sigterm is not None:
            signal.signal(signal.SIGTERM, self._sigterm)  # type: ignore[arg-type]
        if not self.plan.jobs:
            return
        if isinstance(self._launcher, ForkedLauncher):  # its jobs have ended with it
            for job in self._open.values():
                if read_record(self.sweep_dir / job.folder).get("status") == "running":
                    end_record(self.sweep_dir / job.folder, "failed", "the sweep was stopped")
        failed = [job for job in self._added if read_record(self.sweep_dir / job.folder).get("status") == "failed"]
        self.plan.status = "stopped" if error else "failed" if failed else "finished"
        self.plan.write(self.sweep_dir)
        self._summary.show()
        if failed and error is None:
            raise SweepError(
                f"{len(failed)} of {len(self._added)} jobs failed; {self.sweep_dir / 'sweep.csv'} says why."
            )

    def _run_dir(self, number: int) -> Path:
        return self.sweep_dir / self._open[number].folder

    def _folder(self, overrides: Sequence[str], number: int) -> str:
        """Where a job is to run, as Hydra will find it."""
        config = self._context.config_loader.load_sweep_config(self._config, [*overrides])
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(config)  # ${hydra:…} looks there
        try:
            folder = Path(config.hydra.sweep.dir).absolute() / str(config.hydra.sweep.subdir)
        finally:
            HydraConfig.instance().cfg = before
        return str(folder.relative_to(self.sweep_dir) if folder.is_relative_to(self.sweep_dir) else folder)


def _consecutive(numbers: list[int]) -> list[list[int]]:
    """Launchers count jobs on from the first: one launch a row of numbers without a gap."""
    runs = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    return [[number for _, number in run] for _, run in runs]


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """SIGTERM ends the sweep as Ctrl-C does: in order."""
    raise SystemExit(128 + number)
