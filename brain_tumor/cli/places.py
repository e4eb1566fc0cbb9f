"""Values that are given without their key: runs to compare, images to predict."""

from collections.abc import Sequence
from pathlib import Path

PLACES = {"compare": "runs", "predict": "input"}
"""Verb → key whose values may be given without it."""
WITH_VALUE = (
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--info",
    "-i",
)  # fmt: skip
"""Flags of Hydra that take the next argument."""


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
