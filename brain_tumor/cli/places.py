"""Values that are given without their key: runs to compare, images to predict."""

from collections.abc import Sequence
from pathlib import Path

from brain_tumor.config.suggest import did_you_mean
from brain_tumor.errors import ConfigError

PLACES = {"compare": "runs", "predict": "input"}
"""Verb → key whose values may be given without it."""
WITH_VALUE = (
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--info",
    "-i",
)  # fmt: skip
"""Flags of Hydra that take the next argument."""
_FLAGS = (
    *WITH_VALUE, "--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m",
    "--shell-completion", "-sc", "--experimental-rerun",
)  # fmt: skip
"""All flags of Hydra."""


def refuse_unknown_flags(verb: str, arguments: Sequence[str]) -> None:
    """Refuse ``--KEY VALUE``, which argparse would answer with Hydra's own usage.

    Raises:
        ConfigError: An argument is a flag that Hydra does not have.
    """
    for argument in arguments:
        name = argument.partition("=")[0]
        if name.startswith("--") and name not in _FLAGS:
            key, hint = name.removeprefix("--").replace("-", "_"), did_you_mean(name, _FLAGS)
            raise ConfigError(
                f"There is no flag {name}.{hint} Keys are written {key}=VALUE, without dashes; brain-tumor "
                f"{verb} --help lists them."
            )


def split_places(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into what is neither flag nor override, and the rest; an existing path is no override."""
    places: list[str] = []
    rest: list[str] = []
    before = ""
    for argument in arguments:
        is_place = before not in WITH_VALUE and not argument.startswith("-") and not _is_override(argument)
        (places if is_place else rest).append(argument)
        before = argument
    return places, rest


def _is_override(argument: str) -> bool:
    return argument.startswith(("+", "~")) or ("=" in argument and not Path(argument).exists())
