"""Where the predictions lie: run directories, folders of runs, or tables from elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from brain_tumor.errors import ConfigError
from brain_tumor.runtime.sweeping.jobs import Plan, read_record


def find_runs(places: str | Sequence[str] | None, part: str) -> list[Path]:
    """Run directories and predictions tables, in the order named.

    Args:
        places: Run directories, folders that hold runs (a sweep's, say: its finished runs are taken), or CSV files.
        part: ``val`` or ``test``.

    Raises:
        ConfigError: A place holds no predictions.
    """
    named = [places] if isinstance(places, str) else places or []
    return [path for place in named for path in _runs_at(Path(str(place)).expanduser().resolve(), part)]


def predictions_of(path: Path, part: str) -> Path:
    """The table of a run directory, or the table itself."""
    return path / "predictions" / f"{part}.csv" if path.is_dir() else path


def _runs_at(place: Path, part: str) -> list[Path]:
    if not place.exists():
        raise ConfigError(f"{place} was not found; name run directories, folders of runs, or predictions CSV files.")
    if predictions_of(place, part).is_file():
        return [place]
    if (place / "sweep.json").is_file():
        runs = [place / job.folder for job in Plan.read(place).jobs]
    else:
        runs = sorted(path.parents[1] for path in place.glob(f"*/predictions/{part}.csv"))
    done = [run for run in runs if read_record(run).get("status") == "finished" and predictions_of(run, part).is_file()]
    if not done:
        raise ConfigError(f"{place} holds neither predictions/{part}.csv nor finished runs that do.")
    return done
