"""Compose a configuration and build objects from it; what is wrong with it becomes one sentence."""

import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import brain_tumor
from brain_tumor.config.renamed import with_new_names
from brain_tumor.errors import ConfigError, require

_PACKAGE = Path(brain_tumor.__file__).parent
CONF_DIR = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"
"""Inside an installed wheel, or beside the package in a checkout."""

_MONITORS = ("val/f1_macro", "val/accuracy", "val/balanced_accuracy", "val/auroc", "val/loss")
_COMPILE = (None, "default", "reduce-overhead", "max-autotune")
_PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
_MARGIN: tuple[Callable[[Any], bool], str] = (
    lambda value: value is None or (isinstance(value, int | float) and value >= 0),
    "a number from 0, or null",
)
_SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "seed": (lambda value: isinstance(value, int) and 0 <= value < 2**32, "a whole number from 0"),
    "evaluation.resamples": (lambda value: isinstance(value, int) and value >= 1, "a whole number from 1"),
    **{
        f"evaluation.{name}": (lambda value: isinstance(value, int | float) and 0 < value < 1, "between 0 and 1")
        for name in ("sensitivity", "specificity", "prevalence", "coverage")
    },
    "evaluation.abstain": (lambda value: isinstance(value, int | float) and 0 <= value < 1, "from 0, below 1"),
    "ood.reject_share": (lambda value: isinstance(value, float) and 0 < value <= 0.5, "a share above 0, at most 0.5"),
    "monitor.metric": (lambda value: value in _MONITORS, ", ".join(_MONITORS)),
    "data.random_labels": (lambda value: isinstance(value, bool), "true or false"),
    "split.allow_leakage": (lambda value: isinstance(value, bool), "true or false"),
    "compile": (lambda value: value in _COMPILE, "null, " + ", ".join(filter(None, _COMPILE))),
    "optimizer.lr": (lambda value: isinstance(value, int | float), "a number"),
    "lr_scaling": (lambda value: value in ("none", "linear", "sqrt"), "none, linear or sqrt"),
    "snapshot_minutes": (lambda value: value is None or value > 0, "minutes, more than 0, or null"),
    "split.seed": (lambda value: isinstance(value, int) and value >= 0, "a whole number from 0"),
    "trainer.max_epochs": (lambda value: isinstance(value, int) and value >= 1, "a whole number from 1"),
    "trainer.timeout": (lambda value: isinstance(value, int | float) and value > 0, "seconds, more than 0"),
    "trainer.precision": (lambda value: value in _PRECISIONS, ", ".join(_PRECISIONS)),
    "batch_size": (lambda value: isinstance(value, int) and value >= 1, "a whole number from 1"),
    "limit": (lambda value: isinstance(value, int) and value >= 1, "a whole number from 1"),
    "image_evidence": (lambda value: isinstance(value, bool), "true or false"),
    "calibration": (lambda value: isinstance(value, int) and value >= 1, "a whole number from 1"),
    "trainer.limit_predict_batches": (lambda value: isinstance(value, int | float) and value > 0, "more than 0"),
    "resamples": (lambda value: isinstance(value, int) and value >= 1, "a whole number from 1"),
    "level": (lambda value: isinstance(value, float) and 0 < value < 1, "a number between 0 and 1"),
    "eval_split": (lambda value: value in ("val", "test"), "val or test"),
    "pool": (lambda value: isinstance(value, bool), "true or false"),
    "fail_if_rejected": (lambda value: isinstance(value, bool), "true or false"),
    "acceptance.f1_macro": _MARGIN,
    "acceptance.sensitivity": _MARGIN,
    "acceptance.ece": _MARGIN,
    "acceptance.leakage": (lambda value: isinstance(value, bool), "true or false"),
}
"""Keys that are not an object's argument, or used late: what is good, and how to say it."""


def compose(overrides: Sequence[str] = (), run_dir: str | Path = "runs/python", name: str = "train") -> DictConfig:
    """Compose a configuration as the command line would, for use from Python.

    Args:
        overrides: As on the command line: ``["data=folder", "data.root=DIR"]``.
        run_dir: Where the run is to write; stands for ``hydra.run.dir``.
        name: Of the verb's configuration.

    Raises:
        ConfigError: An override names nothing, or is malformed.
    """
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            cfg = hydra.compose(name, with_new_names(overrides, name))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(explain(error)) from error
    cfg.paths.run_dir = str(Path(run_dir).absolute())
    return check(cfg, overrides)


def check(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Refuse a configuration with values left out or out of range, or with appended keys that nothing reads.

    Raises:
        ConfigError: In each case.
    """
    try:
        missing = sorted(OmegaConf.missing_keys(cfg))
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error
    if missing:
        raise ConfigError(_not_set(missing[0]))
    for key, (good, expected) in _SETTINGS.items():
        *parents, name = key.split(".")
        node = OmegaConf.select(cfg, ".".join(parents)) if parents else cfg
        if node is None or name not in node:  # not this verb's or this choice's
            continue
        value = node[name]
        require(good(value), f"{key}={value}", expected)
    if "monitor" in cfg:
        best, mode = "min" if cfg.monitor.metric == "val/loss" else "max", cfg.monitor.mode
        require(mode == best, f"monitor.mode={mode} for {cfg.monitor.metric}", f"monitor.mode={best}")
    for override in overrides:
        key = override.lstrip("+").partition("=")[0]
        if override.startswith("+") and not _is_read(cfg, key):
            raise ConfigError(f"Nothing reads the key {key}; `--cfg job` shows those that are read.")
    return cfg


def _is_read(cfg: DictConfig, key: str) -> bool:
    """A built object takes (or refuses) its own arguments; free-form tables and config groups are read whole."""
    top, *below = key.split(".")
    if top.split("/")[0] in (group.name for group in CONF_DIR.iterdir() if group.is_dir()) and not below:
        return True
    parents = [".".join([top, *below[:n]]) for n in range(len(below))]
    nodes = [OmegaConf.select(cfg, parent) for parent in parents]
    return (
        top in ("hydra", "callbacks", "logger")
        or "augmentation.steps" in parents
        or any(OmegaConf.is_dict(node) and "_target_" in node for node in nodes)
    )


def explain(error: BaseException) -> str:
    """What an error of Hydra or OmegaConf says, as one sentence."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        if "=" not in str(error.override):
            return f"{error.override} is not understood; expected GROUP=OPTION or KEY=VALUE."
        return f"{error.override} cannot be read; quote what is special in it: KEY='\"VALUE\"'."
    if missing := re.search(r"Missing mandatory value: (\S+)", text):
        return _not_set(missing[1])
    if unknown := re.search(r"Could not override '([^']+)'\.", text):
        return f"There is no key {unknown[1]}; `--cfg job` shows all keys."
    if unheard := re.search(r"Could not load '(\w+)/(\w+)'", text):
        options = sorted(path.stem for path in (CONF_DIR / unheard[1]).glob("*.yaml"))
        return f"There is no {unheard[1]}={unheard[2]}; there are: {', '.join(options)}."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if options := [line for line in lines if line.startswith("Available options")]:
        choices = takewhile(
            lambda line: not line.startswith("Config search path"), lines[lines.index(options[0]) + 1 :]
        )
        return f"{lines[0]}; there are: {', '.join(choices)}."
    noise = ("object_type=", "set HYDRA_FULL_ERROR", "Set the environment variable")
    return " ".join(line for line in lines if not line.startswith(noise)) or type(error).__name__


def _not_set(key: str) -> str:
    return f"{key} is not set; give it on the command line: {key}=…"
