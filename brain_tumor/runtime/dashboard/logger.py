"""Lightning's wandb logger, made safe: training outlives a lost connection and a dead service."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from brain_tumor.errors import BrainTumorError, require
from brain_tumor.runtime.dashboard.metrics import define_metrics
from brain_tumor.runtime.dashboard.starting import Mode, start_run

log = logging.getLogger(__name__)


class DashboardLogger(WandbLogger):
    """One wandb run, with an id of its own, for the length of one training.

    Args:
        save_dir: Below it wandb writes.
        project: To log to.
        entity: User or team; None is the key's own.
        name: Of the run.
        group: Of runs that belong together.
        job_type: What kind of run it is.
        notes: Anything.
        tags: Of the run.
        mode: "online", "offline" or "disabled" (log nothing); None is as the environment says, else online.
        offline: The same as ``mode="offline"``.
        id: Of an earlier run to go on with; None makes a new one.
        images: Also log pictures of patients: those of the table of errors.
        log_model: Also log the best checkpoint.
        settings: Of ``wandb.Settings``.

    Raises:
        ConfigError: Arguments contradict each other.
        ValueError: wandb knows no such setting.
    """

    def __init__(
        self,
        save_dir: str | Path,
        project: str = "brain-tumor",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        job_type: str = "train",
        notes: str | None = None,
        tags: Sequence[str] = (),
        mode: Mode | None = None,
        offline: bool = False,
        id: str | None = None,  # noqa: A002, as the class above calls it
        images: bool = True,
        log_model: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        require(mode is None or mode in get_args(Mode), f"logger.wandb.mode={mode}", ", ".join(get_args(Mode)))
        require(not (offline and mode == "online"), "logger.wandb.mode=online with offline=true", "one or the other")
        labels: dict[str, Any] = {
            "entity": entity,
            "group": group,
            "job_type": job_type,
            "notes": notes,
            "tags": list(tags),
        }
        super().__init__(name=name, save_dir=save_dir, version=id, project=project, **labels)
        import wandb

        wandb.Settings(**settings or {})
        self.images, self.log_model = images, log_model
        self._arguments: dict[str, Any] = {
            **labels,
            "name": name,
            "dir": str(save_dir),
            "project": project,
            "id": id,
            "resume": "allow" if id else None,
            "mode": mode or ("offline" if offline else None),
            "reinit": "create_new",  # never a run that somebody else has open in this process
            "settings": dict(settings or {}),
        }
        self._warned = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The wandb run, started when it is first asked for; on ranks above 0 a dummy.

        Raises:
            ConfigError: The key, the account or an argument is refused.
        """
        if self._experiment is None:
            Path(self._arguments["dir"]).mkdir(parents=True, exist_ok=True)
            self._experiment = start_run(self._arguments)
            with self.attempt():
                define_metrics(self._experiment)
        return self._experiment

    @property
    def version(self) -> str | None:
        """Id of the run, or None if there is none."""
        run = self._experiment
        return None if run is None or run.disabled else str(run.id)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Let what goes wrong inside become a warning, the first time, and nothing from then on."""
        try:
            yield
        except BrainTumorError:
            raise
        except Exception as error:  # a dashboard is not worth a training, whatever went wrong with it
            if not self._warned:
                log.warning("wandb fails (%s: %s); the run itself goes on.", type(error).__name__, error)
            self._warned = True

    def log_hyperparams(self, params: Any) -> None:
        """Add to the run's config."""
        with self.attempt():
            super().log_hyperparams(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add a row to the run's history."""
        with self.attempt():
            super().log_metrics(metrics, step)

    @rank_zero_only
    def mark_preempting(self) -> None:
        """Tell wandb that the run will go on elsewhere."""
        if self._experiment is not None:
            with self.attempt():
                self._experiment.mark_preempting()

    @rank_zero_only
    def finish(self, exit_code: int) -> None:
        """End the run: finished if ``exit_code`` is 0, else failed; ``settings.finish_timeout`` bounds the wait."""
        if self._experiment is None:
            return
        try:
            self._experiment.finish(exit_code=exit_code)
        except Exception:
            import wandb

            log.warning("wandb could not end its run; what it has lies in %s.", self._arguments["dir"])
            with suppress(Exception):  # else the dead service is asked again at exit, and by the next job
                wandb.teardown()
