"""Experiment loggers for the length of one run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.runtime.config import build, explain


@contextmanager
def open_loggers(cfg: DictConfig) -> Iterator[list[Logger]]:
    """Build what ``logger`` asks for, hand it the whole configuration, and finish it whatever happens.

    Without finishing, the next job of a sweep would go on in this one's wandb run; a run that ends with an exception is
    marked failed there.

    Raises:
        ConfigError: A logger cannot be built or cannot start.
    """
    loggers: list[Logger] = []
    try:
        for name, node in cfg.get("logger", {}).items():
            loggers.append(build(node, f"logger.{name}"))
            _start(loggers[-1], name, cfg)
        yield loggers
    except BaseException:
        _finish(loggers, exit_code=1)
        raise
    _finish(loggers, exit_code=0)


def wandb_id(loggers: list[Logger]) -> str | None:
    """Id of the wandb run, or None."""
    return next((str(logger.version) for logger in loggers if type(logger).__name__ == "WandbLogger"), None)


def _start(logger: Logger, name: str, cfg: DictConfig) -> None:
    try:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    except Exception as error:
        if type(error).__module__.startswith(
            "wandb."
        ):  # its errors have no base that can be named without importing it
            raise ConfigError(
                f"logger.{name} cannot start: {explain(error)} Without an account, set logger.{name}.offline=true."
            ) from error
        raise


def _finish(loggers: list[Logger], exit_code: int) -> None:
    for logger in loggers:
        logger.finalize("failed" if exit_code else "success")
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish(exit_code=exit_code)
