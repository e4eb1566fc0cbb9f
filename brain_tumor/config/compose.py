"""Compose and check a configuration; a mistake in it is reported in one sentence."""

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import hydra
from hydra.conf import RuntimeConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from brain_tumor.config.as_typed import as_typed
from brain_tumor.config.checks import not_set, require_valid
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.config.fit_keys import require_validation
from brain_tumor.config.plugins import load_plugins, require_allowed_targets, with_custom_options
from brain_tumor.config.renamed import with_new_keys, with_new_names
from brain_tumor.config.suggest import about_key, about_option, did_you_mean
from brain_tumor.errors import ConfigError, require


def compose(overrides: Sequence[str] = (), run_dir: str | Path = "runs/python", verb: str = "train") -> DictConfig:
    """Compose a configuration as the command line would, for use from Python.

    Args:
        overrides: Overrides as on the command line: ``["data=folder", "data.root=DIR"]``.
        run_dir: Directory that the run writes to, in place of ``hydra.run.dir``.
        verb: Name of the verb's configuration.

    Raises:
        ConfigError: An override names nothing, or is malformed.
    """
    overrides = as_typed(with_custom_options(with_new_names(overrides, verb)))
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            cfg = hydra.compose(verb, overrides, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(explain(error)) from error
    runtime = cfg.hydra.runtime
    with open_dict(cfg):
        del cfg["hydra"]
    cfg.paths.run_dir = str(Path(run_dir).absolute())
    return check(cfg, verb, overrides, runtime)


def config_files(cfg: DictConfig, overrides: Sequence[str] | None = None) -> dict[str, str]:
    """Return the files of ``.hydra/``, name → content, for a run to write once its directory is its own.

    Args:
        cfg: Composed configuration, without Hydra's own part.
        overrides: Overrides that it was composed with; None for those of the command line, which Hydra knows.
    """
    files = {"config.yaml": OmegaConf.to_yaml(cfg)}
    if overrides is None:
        files["hydra.yaml"] = OmegaConf.to_yaml(HydraConfig.instance().cfg)
        overrides = HydraConfig.get().overrides.task
    return files | {"overrides.yaml": OmegaConf.to_yaml(OmegaConf.create([*overrides]))}


def check(cfg: DictConfig, verb: str, overrides: Sequence[str], runtime: DictConfig | RuntimeConf) -> DictConfig:
    """Refuse values left out or out of range, options and targets that do not exist, and keys that nothing reads.

    The packages in ``plugins`` are imported.

    Args:
        cfg: Composed configuration, without Hydra's own part.
        verb: Name of the verb's configuration.
        overrides: Overrides that it was composed with.
        runtime: ``hydra.runtime``: what was chosen from which groups, and the folders that options come from.

    Raises:
        ConfigError: The configuration is invalid.
    """
    _require_local(overrides, runtime)
    cfg = with_new_keys(cfg, verb, overrides)
    try:
        require_valid(cfg, verb)
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error
    if "monitor" in cfg:
        best, mode = "min" if cfg.monitor.metric == "val/loss" else "max", cfg.monitor.mode
        require(mode == best, f"monitor.mode={mode} for {cfg.monitor.metric}", f"monitor.mode={best}")
    if "trainer" in cfg:
        require_validation(cfg)
    for override in overrides:
        name = override.lstrip("+").partition("=")[0]
        if override.startswith("+") and name not in runtime.choices and not _is_read(cfg, name):
            raise ConfigError(f"Nothing reads the key {name}; `--cfg job` shows those that are read.")
    plugins = list(cfg.get("plugins", []))
    try:
        require_allowed_targets(OmegaConf.to_container(cfg, resolve=True), plugins)
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error
    load_plugins(plugins)
    return cfg


def _require_local(overrides: Sequence[str], runtime: DictConfig | RuntimeConf) -> None:
    """Refuse a name of ``local=NAME`` that has no file: Hydra leaves an optional group out without a word."""
    folders = [source.path for source in runtime.config_sources if source.schema == "file"]
    options = sorted({path.stem for folder in folders for path in (Path(folder) / "local").glob("*.yaml")})
    for override in overrides:
        key, _, name = override.lstrip("+").partition("=")
        if key == "local" and name not in ("default", "null", *options):
            hint = did_you_mean(name, options) or " brain-tumor init writes one."
            raise ConfigError(f"There is no local={name}; there are: {', '.join(options) or 'none'}.{hint}")


def _is_read(cfg: DictConfig, name: str) -> bool:
    """Return whether something reads the key: an object built from its table, or a table that accepts any key."""
    top, *below = name.split(".")
    parents = [".".join([top, *below[:n]]) for n in range(len(below))]
    nodes = [OmegaConf.select(cfg, parent) for parent in parents]
    return (
        top.split("/")[0] in ("hydra", "callbacks", "logger")
        or "augmentation.steps" in parents
        or any(OmegaConf.is_dict(node) and "_target_" in node for node in nodes)
    )


def explain(error: BaseException) -> str:
    """Turn the message of an error of Hydra or OmegaConf into one sentence."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        if "=" not in str(error.override):
            hint = (
                f" For a folder: data.root={error.override}, or run={error.override}."
                if _is_path(error.override)
                else ""
            )
            return f"{error.override} is not understood; expected GROUP=OPTION or KEY=VALUE.{hint}"
        return f"{error.override} cannot be read; put values with special characters in quotes: KEY='\"VALUE\"'."
    if ambiguous := re.search(r"Ambiguous value for argument '([^=']+)=([^']+)'", text):
        key, values = ambiguous.groups()
        return f"{key}={values} names several values; add --multirun to run each, or write {key}=[{values}] for a list."
    if missing := re.search(r"Missing mandatory value: (\S+)", text):
        return not_set(missing[1])
    if unknown := re.search(r"Could not override '([^']+)'\.", text):
        return f"There is no key {unknown[1]}.{about_key(unknown[1])} `--cfg job` shows all keys."
    if unknown := re.search(r"Could not load '(.+)/([^/']+)'", text):  # an option of a list, such as callbacks=[…]
        options = group_options(unknown[1], re.findall(r"path=file://(.+)", text))
        hint = about_option(unknown[1], unknown[2], options)
        return f"There is no {unknown[1]}={unknown[2]}; there are: {', '.join(options)}.{hint}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if options := [line for line in lines if line.startswith("Available options")]:
        choices = list(
            takewhile(lambda line: not line.startswith("Config search path"), lines[lines.index(options[0]) + 1 :])
        )
        named = re.search(r"'([^/']+)/([^']+)'", lines[0])
        hint = about_option(named[1], named[2], choices) if named else ""
        return f"{lines[0]}; there are: {', '.join(choices)}.{hint}"
    noise = ("object_type=", "set HYDRA_FULL_ERROR", "Set the environment variable")
    return " ".join(line for line in lines if not line.startswith(noise)) or type(error).__name__


def _is_path(text: str) -> bool:
    return Path(text).expanduser().exists()


def group_options(group: str, folders: Sequence[str]) -> list[str]:
    """Options of a group in the folders of Hydra's search path."""
    found: set[str] = set()
    for folder in folders:
        with hydra.initialize_config_dir(folder, version_base="1.3"):
            for source in GlobalHydra.instance().config_loader().get_sources():
                if source.scheme() == "file" and source.is_group(group):
                    found |= set(source.list(group, ObjectType.CONFIG))
    return sorted(found)
