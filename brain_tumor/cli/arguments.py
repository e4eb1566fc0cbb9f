"""Rewrite the command line before Hydra reads it: runs given without a key, and ``resume=RUN``."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.run_dir.record import read_record
from brain_tumor.run_dir.resume import is_alive

_KEY = "resume="
_DEPTH = ("*", "*/*")
"""Runs are in ``runs/``, jobs of a sweep one directory deeper."""
_WITH_VALUE = (
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--info",
    "-i",
)  # fmt: skip
"""Flags of Hydra that take the next argument."""


def with_runs(arguments: Sequence[str]) -> list[str]:
    """Collect the arguments that are neither flag nor override into one ``runs=[…]``; an existing path is a run.

    Args:
        arguments: Command line.
    """
    runs: list[str] = []
    rest: list[str] = []
    before = ""
    for argument in arguments:
        is_run = before not in _WITH_VALUE and not argument.startswith("-") and not _is_override(argument)
        (runs if is_run else rest).append(argument)
        before = argument
    quoted = ",".join(QuotedString(run, Quote.double).with_quotes() for run in runs)  # shells quote with the other
    return [*rest, f"runs=[{quoted}]"] if runs else rest


def _is_override(argument: str) -> bool:
    return argument.startswith(("+", "~")) or ("=" in argument and not Path(argument).exists())


def expand(arguments: Sequence[str], runs: Path = Path("runs")) -> list[str]:
    """Replace ``resume=RUN`` or ``resume=latest`` by the command line of that run, with ``resume=auto``.

    Other arguments come after the overrides of the run, and win.

    Args:
        arguments: Command line.
        runs: Directory that ``resume=latest`` searches.

    Raises:
        ConfigError: There is no such run, or none is unfinished.
    """
    given = [argument.removeprefix(_KEY) for argument in arguments if argument.startswith(_KEY)]
    if not given or given[-1] in ("auto", "null", ""):
        return list(arguments)
    run_dir = _latest(runs) if given[-1] == "latest" else Path(given[-1].strip("'\"")).expanduser().absolute()
    saved = run_dir / ".hydra" / "overrides.yaml"
    if not saved.is_file():
        raise ConfigError(f"{run_dir} holds no run to continue (no .hydra/overrides.yaml); name another: resume=RUN.")
    saved_overrides = [str(text) for text in OmegaConf.load(saved) if not str(text).startswith(_KEY)]
    more = [argument for argument in arguments if not argument.startswith(_KEY)]
    return [*saved_overrides, *more, f"hydra.run.dir='{run_dir}'", "resume=auto"]


def _latest(runs: Path) -> Path:
    found = [path.parent for pattern in _DEPTH for path in runs.glob(f"{pattern}/run.json")]
    open_ = [run_dir for run_dir in found if read_record(run_dir).get("status") != "finished" and not is_alive(run_dir)]
    if not open_:
        raise ConfigError(f"Found no unfinished run in {runs.absolute()}; name one: resume=RUN.")
    return max(open_, key=lambda run_dir: (run_dir / "run.json").stat().st_mtime).absolute()
