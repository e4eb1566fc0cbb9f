"""Experiment loggers for the length of one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from brain_tumor.callbacks.stop import PreemptedError
from brain_tumor.config.instantiate import build, plain
from brain_tumor.run_dir.resume import facts
from brain_tumor.tracking.wandb.logger import DashboardLogger
from brain_tumor.tracking.wandb.naming import identity

_DASHBOARD = f"{DashboardLogger.__module__}.{DashboardLogger.__name__}"


@contextmanager
def open_loggers(cfg: DictConfig, resume_id: str | None = None) -> Iterator[list[Logger]]:
    """Build what ``logger`` asks for, hand it the whole configuration, and finish it whatever happens.

    Each run in wandb has an id of its own and ends with it; one that ends with an exception is marked failed there.

    Args:
        cfg: The whole configuration.
        resume_id: Of the wandb run to go on with, see `resumable_wandb_id`; None starts a new one.

    Raises:
        ConfigError: A logger cannot be built or cannot start.
    """
    loggers: list[Logger] = []
    try:
        for name, node in cfg.get("logger", {}).items():
            loggers.append(build(_named(node, cfg, resume_id), f"logger.{name}"))
            loggers[-1].log_hyperparams(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
        yield loggers
    except BaseException as error:
        for logger in loggers:
            if isinstance(error, PreemptedError) and isinstance(logger, DashboardLogger):
                logger.mark_preempting()
        _finish(loggers, exit_code=1)
        raise
    _finish(loggers, exit_code=0)


def wandb_id(loggers: list[Logger]) -> str | None:
    """Id of the wandb run, or None."""
    return next((logger.version for logger in loggers if isinstance(logger, DashboardLogger)), None)


def resumable_wandb_id(run_dir: Path) -> str | None:
    """Id of the wandb run that an earlier start in this directory has begun, or None."""
    found = facts(run_dir).get("wandb_id")
    return found if isinstance(found, str) else None


def _named(node: DictConfig, cfg: DictConfig, resume_id: str | None) -> dict[str, Any]:
    """The node, for wandb with what its user leaves open: name, group, tags and the run to go on with."""
    recipe = plain(node)
    if recipe.get("_target_") != _DASHBOARD:
        return recipe
    known = identity(cfg)
    for key in ("name", "group"):
        recipe[key] = recipe.get(key) or known[key]
    recipe["tags"] = list(dict.fromkeys([*(recipe.get("tags") or []), *known["tags"]]))
    return recipe | ({"id": resume_id} if resume_id else {})


def _finish(loggers: list[Logger], exit_code: int) -> None:
    for logger in loggers:
        logger.finalize("failed" if exit_code else "success")
        if isinstance(logger, DashboardLogger):
            logger.finish(exit_code)
