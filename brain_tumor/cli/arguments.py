"""Rewrite the command line before Hydra reads it: runs named without a key, ``resume=RUN``."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.run_dir.record import read_record
from brain_tumor.run_dir.resume import is_alive

_KEY = "resume="
_DEPTH = ("*", "*/*")
"""Runs lie in ``runs/``, jobs of a sweep one folder deeper."""
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


def expand(arguments: Sequence[str], runs: Path = Path("runs")) -> list[str]:
    """Turn ``resume=RUN`` or ``resume=latest`` into RUN's own command line, with ``resume=auto`` in its directory.

    What else the command line says comes after RUN's own overrides, and wins.

    Raises:
        ConfigError: There is no such run, or nothing to go on with.
    """
    asked = [argument.removeprefix(_KEY) for argument in arguments if argument.startswith(_KEY)]
    if not asked or asked[-1] in ("auto", "null", ""):
        return list(arguments)
    run_dir = _latest(runs) if asked[-1] == "latest" else Path(asked[-1].strip("'\"")).expanduser().absolute()
    saved = run_dir / ".hydra" / "overrides.yaml"
    if not saved.is_file():
        raise ConfigError(f"{run_dir} holds no run to go on with (no .hydra/overrides.yaml).")
    own = [str(text) for text in OmegaConf.load(saved) if not str(text).startswith(_KEY)]
    more = [argument for argument in arguments if not argument.startswith(_KEY)]
    return [*own, *more, f"hydra.run.dir='{run_dir}'", "resume=auto"]


def _latest(runs: Path) -> Path:
    found = [path.parent for pattern in _DEPTH for path in runs.glob(f"{pattern}/run.json")]
    open_ = [run_dir for run_dir in found if read_record(run_dir).get("status") != "finished" and not is_alive(run_dir)]
    if not open_:
        raise ConfigError(f"There is no unfinished run below {runs.absolute()}; name one: resume=RUN.")
    return max(open_, key=lambda run_dir: (run_dir / "run.json").stat().st_mtime).absolute()
