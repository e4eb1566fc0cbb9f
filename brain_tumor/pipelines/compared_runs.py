"""Find the runs of a comparison, read their predictions, and group runs that differ only in seed or fold."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.comparison.candidates import Run
from brain_tumor.evaluation.predictions import read_predictions
from brain_tumor.sweeps.jobs import REPLICATES, Plan, read_record
from brain_tumor.sweeps.table import assignments


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


_FOLD = ("split.fold", "split.source")
_BESIDE = (
    "paths", "logger", "evaluation", "resume", "overwrite", "callbacks.resume_checkpoint.minutes", "snapshot_minutes",
)  # fmt: skip
"""Keys that change nothing of what is learnt."""


def read_runs(paths: Sequence[Path], part: str) -> dict[Path, Run]:
    """Read the tables and what is known of the runs.

    Args:
        paths: Of `brain_tumor.pipelines.compared_runs.find_runs`; each is read once, however often it is named.
        part: ``val`` or ``test``.

    Returns:
        In the order given. A run's name is its path below the folder that is common to all.

    Raises:
        ConfigError: They are fewer than two.
        DataError: A table is malformed.
    """
    paths = list(dict.fromkeys(paths))
    if len(paths) < 2:
        raise ConfigError("One run is no comparison; name two at least: brain-tumor compare RUN RUN.")
    base = Path(os.path.commonpath([path.parent for path in paths]))
    titles, settings = _differences(paths, leaving_out=REPLICATES), _differences(paths)
    return {
        path: Run(
            name=str(path.relative_to(base)),
            predictions=read_predictions(predictions_of(path, part)),
            recipe=_recipe(path),
            title=titles[path] or base.name,
            label=_label(str(path.relative_to(base)), settings[path]),
            seed=_drawn(path, [key for key in REPLICATES if key not in _FOLD]),
            fold=_drawn(path, _FOLD),
        )
        for path in paths
    }


def leaked(path: Path) -> int | None:
    """Images that stand on two sides of a run's split, by anything in common; None where nobody looked."""
    try:
        found = json.loads((path / "results.json").read_text(encoding="utf-8"))["leakage"]
        return sum(int(count) for name, count in found.items() if name != "allowed")
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def facts(path: Path) -> dict[str, str]:
    """What a change record says of a run, as far as ``run.json`` knows it."""
    record = read_record(path)
    known = {
        "seed": record.get("seed"),
        "commit": record.get("git_sha"),
        "brain-tumor": record.get("versions", {}).get("brain-tumor"),
        "model": record.get("model", {}).get("name"),
        "data": record.get("data", {}).get("name"),
        "data digest": record.get("data", {}).get("digest", "")[:12] or None,
        "command": record.get("command"),
    }
    return {name: str(value) for name, value in known.items() if value is not None}


def _config(path: Path) -> dict[str, Any]:
    """As composed, interpolations left alone; empty where there is none."""
    saved = path / ".hydra" / "config.yaml"
    return dict(OmegaConf.to_container(OmegaConf.load(saved))) if saved.is_file() else {}  # type: ignore[arg-type]


def _recipe(path: Path) -> str:
    """Equal for runs that the same code made of the same data with the same settings; a table stands for itself."""
    config = _config(path)
    if not config:
        return str(path)
    for key in (*REPLICATES, *_BESIDE):
        *parents, name = key.split(".")
        node: Any = config
        for parent in parents:
            node = node.get(parent, {})
        node.pop(name, None)
    record = read_record(path)
    return json.dumps([config, record.get("git_sha"), record.get("data", {}).get("digest")], sort_keys=True)


def _drawn(path: Path, keys: Sequence[str]) -> str:
    config = OmegaConf.create(_config(path))
    return json.dumps({key: OmegaConf.select(config, key, throw_on_missing=False) for key in keys}, default=str)


def _label(name: str, setting: str) -> str:
    """A job of a sweep, whose folder is but a number, is called by what it was set to as well."""
    return f"{name}: {setting}" if name.rpartition(os.sep)[2].isdigit() and setting else ""


def _differences(paths: Sequence[Path], leaving_out: Sequence[str] = ()) -> dict[Path, str]:
    """What the command lines of the runs differ in."""
    chosen = {path: _chosen(path) for path in paths}
    keys = dict.fromkeys(key for values in chosen.values() for key in values if key not in leaving_out)
    differing = [key for key in keys if len({values.get(key) for values in chosen.values()}) > 1]
    return {
        path: " ".join(f"{key}={values[key]}" for key in differing if key in values) for path, values in chosen.items()
    }


def _chosen(path: Path) -> dict[str, str]:
    saved = path / ".hydra" / "overrides.yaml"
    values = assignments([str(text) for text in OmegaConf.load(saved)]) if saved.is_file() else {}
    return {key: value for key, value in values.items() if not {key, key.split(".")[0]} & set(_BESIDE)}
