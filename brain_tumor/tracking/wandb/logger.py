"""Lightning's wandb logger, made safe: training outlives a lost connection and a dead service."""

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

_REFUSED = re.compile(r"permission|denied|unauthori[sz]ed|forbidden|not found|api.?key|entity|\b40[134]\b", re.I)
"""What a server says to a wrong key, entity or project; wandb has one class of error for this and for lost networks."""


def start_run(arguments: dict[str, Any]) -> Any:
    """Start a run online if that is asked for; where no server answers, offline; where wandb is broken, not at all.

    Args:
        arguments: Of ``wandb.init``. Its ``settings.init_timeout`` and 10 seconds bound the wait for a server.

    Raises:
        ConfigError: The key, the account or an argument is refused.
    """
    import wandb  # heavy

    try:
        return wandb.init(**arguments)
    except Exception as error:
        if _is_mistake(error):
            raise ConfigError(
                f"logger.wandb cannot start: {_sentence(error)} Without an account, set logger.wandb.offline=true."
            ) from error
        reason = error
    if not isinstance(reason, wandb.errors.CommError):
        with suppress(Exception):  # its service process died in an earlier job: the next start makes a new one
            wandb.teardown()
    try:
        run = wandb.init(**arguments | {"mode": "offline"})
    except Exception as error:  # it fails in many ways, and none of them is worth a training
        log.warning("wandb does not work (%s); this run is not logged there.", _sentence(error))
        return wandb.init(**arguments | {"mode": "disabled"})
    log.warning(
        "wandb cannot be reached (%s): this run is logged offline. Later: wandb sync %s",
        _sentence(reason),
        run.settings.sync_dir,
    )
    return run


def _is_mistake(error: Exception) -> bool:
    from wandb.errors import AuthenticationError, CommError, UsageError

    if isinstance(error, AuthenticationError | UsageError | ValueError):
        return True
    said = str(error)
    return isinstance(error, CommError) and not said.startswith("Timed out") and bool(_REFUSED.search(said))


def _sentence(error: Exception) -> str:
    """The first line: the others tell of wandb's own settings."""
    return explain(error).split(" Consider increasing")[0]


BEST = {
    "train/loss": "min",
    "val/loss": "min",
    "val/f1_macro": "max",
    "val/accuracy": "max",
    "val/balanced_accuracy": "max",
    "val/auroc": "max",
}
"""Of each curve of epochs, which value is best. Each is named: wandb keeps no best values for patterns."""


def define_metrics(run: Any) -> None:
    """Curves of epochs over the epoch, the others over optimizer steps; of the former keep the best and the last value.

    ``summary["val/f1_macro"]`` becomes ``{"max": …, "last": …}``, ``summary["val/loss"]`` ``{"min": …, "last": …}``.
    """
    run.define_metric("trainer/global_step", hidden=True)
    run.define_metric("epoch", hidden=True)
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    for name, best in BEST.items():
        run.define_metric(name, step_metric="epoch", step_sync=True, summary=f"{best},last")


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
        images: Also log images of patients: those of the table of errors.
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
