"""``brain-tumor compare RUN RUN``: runs named without a key."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString

_WITH_VALUE = (
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--info",
    "-i",
)  # fmt: skip
"""Flags of Hydra's that take the next argument."""


def with_runs(arguments: Sequence[str]) -> list[str]:
    """Gather what is no flag and no override into one ``runs=[…]``; what exists is a run, whatever its name."""
    runs: list[str] = []
    rest: list[str] = []
    before = ""
    for argument in arguments:
        ours = before not in _WITH_VALUE and not argument.startswith("-") and not _is_override(argument)
        (runs if ours else rest).append(argument)
        before = argument
    quoted = ",".join(QuotedString(run, Quote.double).with_quotes() for run in runs)  # a shell quotes with the other
    return [*rest, f"runs=[{quoted}]"] if runs else rest


def _is_override(argument: str) -> bool:
    return argument.startswith(("+", "~")) or ("=" in argument and not Path(argument).exists())
