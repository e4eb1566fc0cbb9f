"""Lightning's wandb logger, made safe: a training continues if the network or wandb's service process fails."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, get_args

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from brain_tumor.config.compose import explain
from brain_tumor.errors import BrainTumorError, ConfigError, require

Mode = Literal["online", "offline", "disabled"]
log = logging.getLogger(__name__)

METRIC_DIRECTIONS = {
    "train/loss": "min",
    "val/loss": "min",
    "val/f1_macro": "max",
    "val/accuracy": "max",
    "val/balanced_accuracy": "max",
    "val/auroc": "max",
}
"""Metric per epoch → whether its best value is the ``min`` or the ``max``; wandb keeps no best values for patterns."""

_REFUSAL = re.compile(r"permission|denied|unauthori[sz]ed|forbidden|not found|api.?key|entity|\b40[134]\b", re.I)
"""Words with which a server refuses a key, entity or project; wandb raises the same class if there is no network."""


class SafeWandbLogger(WandbLogger):
    """Lightning's wandb logger, for one wandb run per training, whose failures do not stop the training.

    Args:
        save_dir: Parent directory for wandb files.
        project: Project to log to.
        entity: User or team; None is the default of the API key.
        name: Name of the run.
        group: Name of the group of runs.
        job_type: Kind of run, for filters in wandb.
        notes: Free text.
        tags: Tags of the run.
        mode: ``online``, ``offline`` or ``disabled`` (nothing is logged); None is ``WANDB_MODE``, or else ``online``.
        offline: Whether to log offline, as with ``mode="offline"``.
        id: Id of an earlier run to resume; None starts a new run.
        images: Whether to log images of patients, which the table of errors shows.
        log_model: Whether to log the bundle and the best checkpoint.
        settings: Arguments of ``wandb.Settings``.

    Raises:
        ConfigError: ``mode`` is unknown, or contradicts ``offline``.
        ValueError: A setting is unknown to wandb.
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
        id: str | None = None,  # noqa: A002, the name in the base class
        images: bool = True,
        log_model: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        require(mode is None or mode in get_args(Mode), f"logger.wandb.mode={mode}", ", ".join(get_args(Mode)))
        require(not (offline and mode == "online"), "logger.wandb.mode=online with offline=true", "only one of the two")
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
        self._init_arguments: dict[str, Any] = {
            **labels,
            "name": name,
            "dir": str(save_dir),
            "project": project,
            "id": id,
            "resume": "allow" if id else None,
            "mode": mode or ("offline" if offline else None),
            "reinit": "create_new",  # does not touch a wandb run that other code of this process has open
            "settings": dict(settings or {}),
        }
        self._warned = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The wandb run, started on first use; on ranks above 0 a dummy.

        Raises:
            ConfigError: The server refuses the key, entity or project, or an argument is invalid.
        """
        if self._experiment is None:
            Path(self._init_arguments["dir"]).mkdir(parents=True, exist_ok=True)
            self._experiment = start_run(self._init_arguments)
            with self.errors_as_warning():
                define_metrics(self._experiment)
        return self._experiment

    @property
    def version(self) -> str | None:
        """Id of the run, or None if there is none."""
        run = self._experiment
        return None if run is None or run.disabled else str(run.id)

    @property
    def url(self) -> str | None:
        """Address of the run's page, or None where it has none: offline, disabled, or not started."""
        return None if self.version is None else self._experiment.url  # type: ignore[union-attr]

    @contextmanager
    def errors_as_warning(self) -> Iterator[None]:
        """Log the first error of the logger as a warning and ignore later ones; a `BrainTumorError` is raised."""
        try:
            yield
        except BrainTumorError:
            raise
        except Exception as error:  # wandb fails in many ways, none of which may stop the training
            if not self._warned:
                log.warning("wandb fails (%s: %s); the training continues.", type(error).__name__, error)
            self._warned = True

    def log_hyperparams(self, params: Any) -> None:
        """Add parameters to the configuration of the run."""
        with self.errors_as_warning():
            super().log_hyperparams(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add metrics to the history of the run."""
        with self.errors_as_warning():
            super().log_metrics(metrics, step)

    @rank_zero_only
    def mark_preempting(self) -> None:
        """Mark the run in wandb as preempted, to be resumed later."""
        if self._experiment is not None:
            with self.errors_as_warning():
                self._experiment.mark_preempting()

    @rank_zero_only
    def finish(self, exit_code: int) -> None:
        """End the run: finished if ``exit_code`` is 0, else failed; ``settings.finish_timeout`` limits the wait."""
        if self._experiment is None:
            return
        try:
            self._experiment.finish(exit_code=exit_code)
        except Exception:
            import wandb

            log.warning("wandb could not end its run; its files are in %s.", self._init_arguments["dir"])
            with suppress(Exception):  # without this, wandb waits for its dead service at exit and in the next job
                wandb.teardown()


def start_run(arguments: dict[str, Any]) -> Any:
    """Start a wandb run: online if requested, offline if no server responds, disabled if wandb itself fails.

    Args:
        arguments: Arguments of ``wandb.init``. The wait for a server is limited to ``settings.init_timeout`` plus 10 s.

    Raises:
        ConfigError: The server refuses the key, entity or project, or an argument is invalid.
    """
    import wandb  # takes seconds

    try:
        return wandb.init(**arguments)
    except Exception as error:
        if _is_user_error(error):
            raise ConfigError(
                f"logger.wandb cannot start: {_first_sentence(error)} Without an account, set "
                "logger.wandb.offline=true."
            ) from error
        reason = error
    if not isinstance(reason, wandb.errors.CommError):
        with suppress(Exception):  # its service process died in an earlier job: the next start makes a new one
            wandb.teardown()
    try:
        run = wandb.init(**arguments | {"mode": "offline"})
    except Exception as error:  # wandb fails in many ways, none of which may stop the training
        log.warning("wandb does not work (%s); this run is not logged there.", _first_sentence(error))
        return wandb.init(**arguments | {"mode": "disabled"})
    log.warning(
        "wandb cannot be reached (%s): this run is logged offline. To upload it later: wandb sync %s",
        _first_sentence(reason),
        run.settings.sync_dir,
    )
    return run


def _is_user_error(error: Exception) -> bool:
    from wandb.errors import AuthenticationError, CommError, UsageError

    if isinstance(error, AuthenticationError | UsageError | ValueError):
        return True
    message = str(error)
    return isinstance(error, CommError) and not message.startswith("Timed out") and bool(_REFUSAL.search(message))


def _first_sentence(error: Exception) -> str:
    """Return the message without wandb's hints about its own settings."""
    return explain(error).split(" Consider increasing")[0]


def define_metrics(run: Any) -> None:
    """Set the axes and the summaries of the curves of a wandb run.

    Metrics per epoch are drawn over the epoch, and the summary keeps their best and last value (``val/f1_macro``:
    ``{"max": …, "last": …}``); all others are drawn over optimizer steps.
    """
    run.define_metric("trainer/global_step", hidden=True)
    run.define_metric("epoch", hidden=True)
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    for name, direction in METRIC_DIRECTIONS.items():
        run.define_metric(name, step_metric="epoch", step_sync=True, summary=f"{direction},last")
