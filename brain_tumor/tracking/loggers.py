"""Open and close the experiment loggers of a run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from brain_tumor.config.instantiate import build, plain
from brain_tumor.errors import PreemptedError
from brain_tumor.run_dir.record import read_record
from brain_tumor.tracking.wandb.logger import SafeWandbLogger
from brain_tumor.tracking.wandb.naming import default_names

_WANDB_TARGET = f"{SafeWandbLogger.__module__}.{SafeWandbLogger.__name__}"


@contextmanager
def open_loggers(cfg: DictConfig, resume_id: str | None = None) -> Iterator[list[Logger]]:
    """Build the loggers named by ``logger``, log the configuration to them, and close them on exit.

    An exception inside the context marks the runs of the loggers as failed.

    Args:
        cfg: Complete configuration.
        resume_id: Id of the wandb run to resume, see `resumable_wandb_id`; None starts a new one.

    Raises:
        ConfigError: A logger cannot be built or cannot start.
    """
    loggers: list[Logger] = []
    try:
        for name, node in cfg.get("logger", {}).items():
            loggers.append(build(_with_names(node, cfg, resume_id), f"logger.{name}"))
            loggers[-1].log_hyperparams(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
        yield loggers
    except BaseException as error:
        for logger in loggers:
            if isinstance(error, PreemptedError) and isinstance(logger, SafeWandbLogger):
                logger.mark_preempting()
        _finish(loggers, exit_code=1)
        raise
    _finish(loggers, exit_code=0)


def wandb_id(loggers: list[Logger]) -> str | None:
    """Return the id of the wandb run, or None if there is none."""
    return next((logger.version for logger in loggers if isinstance(logger, SafeWandbLogger)), None)


def wandb_url(loggers: list[Logger]) -> str | None:
    """Return the address of the wandb run's page, or None if it has none."""
    return next((logger.url for logger in loggers if isinstance(logger, SafeWandbLogger)), None)


def resumable_wandb_id(run_dir: Path) -> str | None:
    """Return the id of the wandb run that an earlier start in a run directory has begun, or None."""
    run_id = read_record(run_dir).get("wandb_id")
    return run_id if isinstance(run_id, str) else None


_VARIABLES = {
    "project": "WANDB_PROJECT",
    "name": "WANDB_NAME",
    "group": "WANDB_RUN_GROUP",
    "job_type": "WANDB_JOB_TYPE",
    "notes": "WANDB_NOTES",
}
"""Label of a run → the variable of wandb that sets it."""


def _with_names(node: DictConfig, cfg: DictConfig, resume_id: str | None) -> dict[str, Any]:
    """Return the configuration of a logger; for wandb, complete its labels, and set the id to resume.

    A label comes from the configuration, or else from wandb's variable (``WANDB_PROJECT``, …), or else it is ours.
    """
    arguments = plain(node)
    if arguments.get("_target_") != _WANDB_TARGET:
        return arguments
    defaults = {"project": "brain-tumor", "job_type": "train", **default_names(cfg)}
    for key, variable in _VARIABLES.items():
        arguments[key] = arguments.get(key) or os.environ.get(variable) or defaults.get(key)
    given = arguments.get("tags") or []
    tags = given.split(",") if isinstance(given, str) else given
    tags = [*tags, *os.environ.get("WANDB_TAGS", "").split(","), *defaults["tags"]]
    arguments["tags"] = list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if resume_id:
        arguments["id"] = resume_id
    return arguments


def _finish(loggers: list[Logger], exit_code: int) -> None:
    for logger in loggers:
        logger.finalize("failed" if exit_code else "success")
        if isinstance(logger, SafeWandbLogger):
            logger.finish(exit_code)
