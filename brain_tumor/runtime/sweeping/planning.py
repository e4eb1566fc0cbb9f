"""The plan of a sweep that begins."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.runtime.sweeping.jobs import Plan


def new_plan(config: DictConfig, swept: list[str]) -> Plan:
    """A plan without jobs, in a directory that is there.

    Raises:
        ConfigError: The sweep's directory cannot be made.
    """
    folder = Path(config.hydra.sweep.dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The sweep's directory {folder} cannot be made ({error}); set hydra.sweep.dir.") from error
    return Plan(
        verb=config.hydra.job.config_name,
        metric=OmegaConf.select(config, "monitor.metric"),
        mode=OmegaConf.select(config, "monitor.mode"),
        swept=list(dict.fromkeys(key.lstrip("+~") for key in swept)),
    )
