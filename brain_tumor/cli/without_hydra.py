"""Run a verb where Hydra is not installed: the same keys from the same YAML, without groups and sweeps."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_tumor.cli.places import PLACES, split_places
from brain_tumor.config.checks import require_valid
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.config.plugins import load_plugins
from brain_tumor.config.suggest import about_key
from brain_tumor.errors import BrainTumorError, ConfigError

_USER_MISTAKE = 2
"""Exit code for a mistake that the user can correct."""


def run_app(verb: str, task: Callable[[DictConfig], object]) -> None:
    """Read ``conf/<verb>.yaml``, apply the command line to it and run a task on it.

    Args:
        verb: Name of the verb and of its configuration.
        task: Function of the configuration.
    """
    if {"-h", "--help"} & set(sys.argv):
        print(f"usage: brain-tumor {verb} KEY=VALUE …\n\n{(CONF_DIR / f'{verb}.yaml').read_text(encoding='utf-8')}")
        return
    try:
        task(read(verb, sys.argv[1:]))
    except (BrainTumorError, OmegaConfBaseException, OSError) as error:
        print(f"brain-tumor {verb}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", _USER_MISTAKE))


def read(verb: str, arguments: Sequence[str]) -> DictConfig:
    """Read the configuration of a verb.

    Args:
        verb: Name of the verb and of its configuration.
        arguments: ``KEY=VALUE``, with values in YAML; files and folders where the verb takes them without a key.

    Raises:
        ConfigError: An argument is malformed, or names no key, or a value is invalid.
    """
    cfg = OmegaConf.load(CONF_DIR / f"{verb}.yaml")
    assert isinstance(cfg, DictConfig)  # noqa: S101  # a file of ours
    del cfg["defaults"]
    cfg["paths"] = OmegaConf.load(CONF_DIR / "paths" / "default.yaml")
    cfg.paths.run_dir = str(Path.cwd())
    OmegaConf.set_struct(cfg, True)
    places, overrides = split_places(arguments) if verb in PLACES else ([], list(arguments))
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or key.startswith(("-", "+", "~")):
            raise ConfigError(f"{override} is not understood without Hydra; expected KEY=VALUE.")
        if key == "hydra.run.dir":
            key = "paths.run_dir"
        if OmegaConf.select(cfg, key, default=cfg) is cfg and key not in OmegaConf.missing_keys(cfg):
            raise ConfigError(f"There is no key {key}.{about_key(key)}")
        OmegaConf.update(cfg, key, _parsed(override, value), force_add=True)
    if places:
        cfg[PLACES[verb]] = places
    require_valid(cfg, verb)
    load_plugins(list(cfg.get("plugins", [])))
    return cfg


def _parsed(override: str, value: str) -> object:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{override} cannot be read; put values with special characters in quotes.") from error
