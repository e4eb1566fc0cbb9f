"""Keys and options that were renamed: the old name works for one release, with a warning that gives the new one."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

log = logging.getLogger(__name__)

KEYS: dict[str, dict[str, str]] = {
    "train": {
        "gate.turned_away": "ood.reject_share",
        "model.lr": "optimizer.lr",
        "snapshot_minutes": "callbacks.resume_checkpoint.minutes",
    },
    "evaluate": {"side": "published_split", "foreign": "ood_images", "pictures": "image_evidence"},
    "compare": {
        "part": "eval_split",
        "fail_on_gate": "fail_if_rejected",
        **{f"gates.{name}": f"acceptance.{name}" for name in ("f1_macro", "sensitivity", "ece", "leakage")},
    },
}
"""Verb → old key → new key."""

OPTIONS: dict[str, dict[str, str]] = {
    "model": {"cnn": "small_cnn", "seed_cnn": "reference_cnn"},
    "experiment": {"seed_task": "reference_task"},
}
"""Group → old option → new option, for `train`."""

_warned: set[str] = set()


def with_new_names(overrides: Sequence[str], verb: str) -> list[str]:
    """Replace old names in overrides; each is logged once per process.

    Args:
        overrides: Overrides as on the command line; flags pass unchanged.
        verb: Name of the verb's configuration, such as ``train``.
    """
    return [_renamed(override, verb) for override in overrides]


def with_new_keys(cfg: DictConfig, verb: str, overrides: Sequence[str]) -> DictConfig:
    """Move values that a user's own YAML (``conf/local/default.yaml``, say) sets under an old name.

    Args:
        cfg: Composed configuration; it stays as it is.
        verb: Name of the verb's configuration.
        overrides: Overrides that it was composed with; they win over a YAML.
    """
    absent = object()
    for old, new in KEYS.get(verb, {}).items():
        value = OmegaConf.select(cfg, old, default=absent)
        if value is absent:
            continue
        _warn(old, new)
        if old == "model.lr" and cfg.optimizer.lr != "auto":  # if both were set, optimizer.lr was used
            value = cfg.optimizer.lr
        cfg = cfg.copy()
        with open_dict(cfg):
            _delete(cfg, old)
            if OmegaConf.select(cfg, new.rpartition(".")[0]) and not any(
                text.startswith(f"{new}=") for text in overrides
            ):
                OmegaConf.update(cfg, new, value)
    return cfg


def _delete(cfg: DictConfig, key: str) -> None:
    table, _, name = key.rpartition(".")
    del (OmegaConf.select(cfg, table) if table else cfg)[name]


def _renamed(override: str, verb: str) -> str:
    prefix, key, value = re.fullmatch(r"([+~]*)([^=]*)(.*)", override, re.DOTALL).groups()  # type: ignore[union-attr]
    if verb == "evaluate" and key == "model" and value:
        new = "run" if _is_run_dir(value[1:]) else "bundle"
    else:
        new = KEYS.get(verb, {}).get(key, key)
    options = OPTIONS.get(key, {}) if verb == "train" else {}
    for old, option in options.items():
        value = re.sub(rf"(?<![\w./-]){old}(?![\w./-])", _replacing(f"{key}={old}", f"{key}={option}", option), value)
    if new != key:
        _warn(f"{key}=", f"{new}=")
    return f"{prefix}{new}{value}"


def _is_run_dir(path: str) -> bool:
    run_dir = Path(path.strip("'\"")).expanduser()
    return (run_dir / "run.json").is_file() or (run_dir / "checkpoints").is_dir()


def _replacing(old: str, new: str, replacement: str) -> Callable[[re.Match[str]], str]:
    def replace(_: re.Match[str]) -> str:
        _warn(old, new)
        return replacement

    return replace


def _warn(old: str, new: str) -> None:
    if old not in _warned:
        _warned.add(old)
        log.warning("%s is now called %s; the old name is accepted until the next release.", old, new)
