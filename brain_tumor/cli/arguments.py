"""Rewrite the command line before Hydra reads it: flags, runs given without a key, and ``resume=RUN``."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf

from brain_tumor.cli.places import WITH_VALUE, split_places
from brain_tumor.config.as_typed import PATHS
from brain_tumor.errors import ConfigError
from brain_tumor.run_dir.record import read_record
from brain_tumor.run_dir.resume import is_alive

_KEY = "resume="
_DEPTH = ("*", "*/*")
"""Runs are in ``runs/``, jobs of a sweep one directory deeper."""


def with_places(arguments: Sequence[str], key: str) -> list[str]:
    """Collect the arguments that are neither flag nor override into one ``key=[…]``; an existing path is none.

    Args:
        arguments: Command line.
        key: Value of `PLACES`.
    """
    places, rest = split_places(arguments)
    quoted = ",".join(QuotedString(each, Quote.double).with_quotes() for each in places)  # shells quote with the other
    return [*rest, f"{key}=[{quoted}]"] if places else rest


def flags_first(arguments: Sequence[str]) -> list[str]:
    """Move flags before overrides: Hydra refuses overrides on both sides of a flag."""
    flags: list[str] = []
    overrides: list[str] = []
    before = ""
    for argument in arguments:
        (flags if argument.startswith("-") or before in WITH_VALUE else overrides).append(argument)
        before = argument
    return [*flags, *overrides]


def expand(arguments: Sequence[str], runs: Path = Path("runs")) -> tuple[list[str], Path | None]:
    """Replace ``resume=RUN`` or ``resume=latest`` by the command line of that run or sweep, with ``resume=auto``.

    Other arguments come after the overrides of the run, and win; relative paths in them start in the present folder.

    Args:
        arguments: Command line.
        runs: Directory that ``resume=latest`` searches.

    Returns:
        The command line, and the folder in which that run was started, from which its relative paths are read; None
        without such an argument, or if the folder no longer exists.

    Raises:
        ConfigError: There is no such run, or none is unfinished.
    """
    given = [argument.removeprefix(_KEY) for argument in arguments if argument.startswith(_KEY)]
    if not given or given[-1] in ("auto", "null", ""):
        return list(arguments), None
    run_dir = _latest(runs) if given[-1] == "latest" else Path(given[-1].strip("'\"")).expanduser().resolve()
    more = _from_here([argument for argument in arguments if not argument.startswith(_KEY)])
    if (run_dir / "sweep.json").is_file() and (run_dir / "multirun.yaml").is_file():
        hydra = OmegaConf.load(run_dir / "multirun.yaml").hydra
        own = [text for text in hydra.overrides.hydra if not text.startswith(("hydra.mode=", "hydra.sweep.dir="))]
        command, place = ["--multirun", *hydra.overrides.task, *own], [f"hydra.sweep.dir='{run_dir}'"]
    elif (run_dir / ".hydra" / "overrides.yaml").is_file():
        file = run_dir / ".hydra" / "hydra.yaml"  # a run that was started from Python has none
        hydra = OmegaConf.load(file).hydra if file.is_file() else OmegaConf.create()
        command, place = list(OmegaConf.load(run_dir / ".hydra" / "overrides.yaml")), [f"hydra.run.dir='{run_dir}'"]
        if any(text.startswith("hparams_search=") for text in command):
            place.append("hydra.mode=RUN")  # the job alone, not its search
    else:
        raise ConfigError(
            f"{run_dir} holds no run to continue (no .hydra/overrides.yaml) and no sweep (no multirun.yaml); name "
            "another: resume=RUN."
        )
    command = [str(text) for text in command if not str(text).startswith((_KEY, "overwrite="))]
    started_in = _existing(OmegaConf.select(hydra, "runtime.cwd"))
    return [*_config_dir(hydra, more), *command, *more, *place, "resume=auto"], started_in


def _config_dir(hydra: DictConfig, arguments: Sequence[str]) -> list[str]:
    """Return ``--config-dir`` of a run that had one, unless the command line gives another."""
    if {"--config-dir", "-cd"} & {argument.partition("=")[0] for argument in arguments}:
        return []
    sources = OmegaConf.select(hydra, "runtime.config_sources", default=[])
    folders = [str(source.path) for source in sources if source.provider == "command-line"]
    if folders and not Path(folders[0]).is_dir():
        raise ConfigError(
            f"The run was started with --config-dir {folders[0]}, which is missing; say where that folder is now: "
            "--config-dir DIR resume=RUN."
        )
    return ["--config-dir", folders[0]] if folders else []


def _from_here(arguments: Sequence[str]) -> list[str]:
    """Make relative paths absolute, as the run is resumed in the folder in which it was started."""
    before = ""
    result = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if before in ("--config-dir", "-cd"):
            result.append(str(Path(argument).expanduser().absolute()))
        elif value and (key == "--config-dir" or key.lstrip("+") in PATHS) and Path(value).expanduser().exists():
            result.append(f"{key}={Path(value).expanduser().absolute()}")
        else:
            result.append(argument)
        before = argument
    return result


def _existing(folder: str | None) -> Path | None:
    return Path(folder) if folder and Path(folder).is_dir() else None


def _latest(runs: Path) -> Path:
    found = [path.parent for pattern in _DEPTH for path in runs.glob(f"{pattern}/run.json")]
    open_ = [run_dir for run_dir in found if read_record(run_dir).get("status") != "finished" and not is_alive(run_dir)]
    if not open_:
        raise ConfigError(f"Found no unfinished run in {runs.absolute()}; name one: resume=RUN.")
    return max(open_, key=lambda run_dir: (run_dir / "run.json").stat().st_mtime).absolute()
