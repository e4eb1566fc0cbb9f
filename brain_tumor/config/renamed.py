"""Overrides whose name has changed: the old spelling works for one release, with a warning that tells the new one."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

KEYS: dict[str, dict[str, str]] = {
    "train": {"gate.turned_away": "ood.reject_share"},
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
    """Rewrite overrides that use an old name; each old name is logged once per process.

    Args:
        overrides: As on the command line; flags pass unchanged.
        verb: Name of the verb's configuration, such as ``train``.
    """
    return [_renamed(override, verb) for override in overrides]


def _renamed(override: str, verb: str) -> str:
    prefix, key, value = re.fullmatch(r"([+~]*)([^=]*)(.*)", override, re.DOTALL).groups()  # type: ignore[union-attr]
    if verb == "evaluate" and key == "model" and value:
        new = "run" if _is_run(value[1:]) else "bundle"
    else:
        new = KEYS.get(verb, {}).get(key, key)
    options = OPTIONS.get(key, {}) if verb == "train" else {}
    for old, option in options.items():
        value = re.sub(rf"(?<![\w./-]){old}(?![\w./-])", _noting(f"{key}={old}", f"{key}={option}", option), value)
    if new != key:
        _warn(f"{key}=", f"{new}=")
    return f"{prefix}{new}{value}"


def _is_run(place: str) -> bool:
    run_dir = Path(place.strip("'\"")).expanduser()
    return (run_dir / "run.json").is_file() or (run_dir / "checkpoints").is_dir()


def _noting(old: str, new: str, replacement: str) -> Callable[[re.Match[str]], str]:
    def replace(_: re.Match[str]) -> str:
        _warn(old, new)
        return replacement

    return replace


def _warn(old: str, new: str) -> None:
    if old not in _warned:
        _warned.add(old)
        log.warning("%s is now called %s; the old name will go with the next release.", old, new)
