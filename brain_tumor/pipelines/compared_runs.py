"""Find the runs of a comparison, read their predictions, and group runs that differ only in seed or fold."""

import json
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from brain_tumor.data.samples import read_table
from brain_tumor.errors import ConfigError, RunDirError
from brain_tumor.evaluation.comparison.candidates import Run
from brain_tumor.evaluation.comparison.citations import Citation, data_citation
from brain_tumor.evaluation.predictions import read_predictions
from brain_tumor.run_dir.record import read_record, read_results
from brain_tumor.sweeps.jobs import REPLICATES, Plan
from brain_tumor.sweeps.table import assignments


def find_runs(places: str | Sequence[str] | None, split: str) -> list[Path]:
    """Find run directories and predictions tables, in the order given.

    Args:
        places: Run directories, folders of runs (of a sweep, its finished runs are taken), or CSV files.
        split: ``val`` or ``test``.

    Raises:
        ConfigError: A place does not exist or has no predictions.
    """
    listed = [places] if isinstance(places, str) else places or []
    return [path for place in listed for path in _runs_at(Path(str(place)).expanduser().resolve(), split)]


def default_split(places: str | Sequence[str] | None) -> str:
    """Return the split to compare: ``val`` if a place holds runs with it, from which one is selected, else ``test``."""
    listed = [places] if isinstance(places, str) else places or []
    folders = [Path(str(place)).expanduser() for place in listed]
    return "val" if any(next(folder.glob("*/predictions/val.csv"), None) for folder in folders) else "test"


def predictions_of(path: Path, split: str) -> Path:
    """Return the predictions table of a run directory; a table itself is returned unchanged."""
    return path / "predictions" / f"{split}.csv" if path.is_dir() else path


def _runs_at(place: Path, split: str) -> list[Path]:
    if not place.exists():
        raise ConfigError(f"{place} does not exist; give run directories, folders of runs, or predictions CSV files.")
    if predictions_of(place, split).is_file():
        return [place]
    if (place / "sweep.json").is_file():
        runs = [place / job.folder for job in Plan.read(place).jobs]
    else:
        runs = sorted(path.parents[1] for path in place.glob(f"*/predictions/{split}.csv"))
    finished = [run for run in runs if read_record(run).get("status") == "finished"]
    runs_with_table = [run for run in finished if predictions_of(run, split).is_file()]
    if not runs_with_table:
        raise ConfigError(f"{place} has neither predictions/{split}.csv nor finished runs with that file.")
    return runs_with_table


_FOLD = ("split.fold", "split.source")
_NOT_LEARNT_FROM = (
    "paths", "logger", "evaluation", "figures", "resume", "overwrite", "callbacks.resume_checkpoint.minutes",
    "snapshot_minutes",
)  # fmt: skip
"""Keys that do not change what a training learns."""


def read_runs(paths: Sequence[Path], split: str) -> dict[Path, Run]:
    """Read the predictions tables and the recipes of runs.

    Args:
        paths: Result of `find_runs`; repeated paths are read once.
        split: ``val`` or ``test``.

    Returns:
        Path → run, in the order given. A run's name is its path below the folder that all have in common.

    Raises:
        ConfigError: There are fewer than two runs.
        DataError: A table is malformed.
    """
    given, paths = len(paths), list(dict.fromkeys(paths))
    if len(paths) < 2:
        twice = f", given {given} times" if given > 1 else ""
        raise ConfigError(f"Found one run{twice}; expected at least two: brain-tumor compare RUN RUN.")
    base = Path(os.path.commonpath([path.parent for path in paths]))
    titles, settings = _differences(paths, ignored=REPLICATES), _differences(paths)
    return {
        path: Run(
            name=str(path.relative_to(base)),
            predictions=read_predictions(predictions_of(path, split)),
            recipe=_recipe(path),
            title=titles[path] or base.name,
            label=_label(str(path.relative_to(base)), settings[path]),
            seed=_replicate(path, [key for key in REPLICATES if key not in _FOLD]),
            fold=_replicate(path, _FOLD),
        )
        for path in paths
    }


def left_out_the_test(path: Path) -> bool:
    """Return whether a run left the test set out (``split.tuning=true``): what it calls test is half of validation."""
    return bool(_config(path).get("split", {}).get("tuning", False))


def leaked(path: Path) -> int | None:
    """Return the number of leaked images of a run's split, or None if leakage was not counted."""
    try:
        found = read_results(path)["leakage"]
        return sum(int(count) for name, count in found.items() if name != "allowed")
    except (OSError, RunDirError, ValueError, KeyError, AttributeError):
        return None


def unpredicted(paths: Sequence[Path], predicted: Collection[str]) -> int:
    """Count the images of runs that none of them predicted: those of folds that are missing, for joined folds.

    Args:
        paths: Run directories of one recipe.
        predicted: Ids of the images that were predicted.
    """
    tables = [read_table(path / "samples.csv") for path in paths if (path / "samples.csv").is_file()]
    return len({name for table in tables for name in table["sample_id"]} - set(predicted))


def baselines(paths: Sequence[Path], split: str) -> dict[Path, dict[str, float]]:
    """Read the scores of the 1-NN baseline, by metric, from the results of runs, as far as they have them.

    Args:
        paths: Run directories, or tables, which have none.
        split: ``val`` or ``test``.
    """
    found = {}
    for path in paths:
        with suppress(OSError, RunDirError, ValueError, TypeError, KeyError, AttributeError):
            found[path] = {name: float(score) for name, score in read_results(path)["baseline"][split].items()}
    return found


def data_citations(paths: Sequence[Path]) -> list[Citation]:
    """Return what to cite for the data of runs, each set once, as far as it is known."""
    found = [data_citation(read_record(path).get("data", {})) for path in paths]
    return list({each.key: each for each in found if each}.values())


def run_facts(path: Path) -> dict[str, str]:
    """Return what a change record says about a run, from ``run.json``."""
    record = read_record(path)
    facts = {
        "seed": record.get("seed"),
        "commit": record.get("git_sha"),
        "brain-tumor": record.get("versions", {}).get("brain-tumor"),
        "model": record.get("model", {}).get("name"),
        "data": record.get("data", {}).get("name"),
        "data digest": record.get("data", {}).get("digest", "")[:12] or None,
        "command": record.get("command"),
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _config(path: Path) -> dict[str, Any]:
    """Return the composed configuration, interpolations unresolved; empty if there is none."""
    saved = path / ".hydra" / "config.yaml"
    return dict(OmegaConf.to_container(OmegaConf.load(saved))) if saved.is_file() else {}  # type: ignore[arg-type]


def _recipe(path: Path) -> str:
    """Return a text that is equal for runs of the same code, data and settings; for a table, its path."""
    config = _config(path)
    if not config:
        return str(path)
    for key in (*REPLICATES, *_NOT_LEARNT_FROM):
        *parents, name = key.split(".")
        node: Any = config
        for parent in parents:
            node = node.get(parent, {})
        node.pop(name, None)
    record = read_record(path)
    return json.dumps([config, record.get("git_sha"), record.get("data", {}).get("digest")], sort_keys=True)


def _replicate(path: Path, keys: Sequence[str]) -> str:
    config = OmegaConf.create(_config(path))
    return json.dumps({key: OmegaConf.select(config, key, throw_on_missing=False) for key in keys}, default=str)


def _label(name: str, setting: str) -> str:
    """Return a label with the settings for a job of a sweep, whose folder is only a number; otherwise empty."""
    return f"{name}: {setting}" if name.rpartition(os.sep)[2].isdigit() and setting else ""


def _differences(paths: Sequence[Path], ignored: Sequence[str] = ()) -> dict[Path, str]:
    """Return, for each run, the overrides in which the command lines of the runs differ."""
    overrides = {path: _overrides(path) for path in paths}
    keys = dict.fromkeys(key for values in overrides.values() for key in values if key not in ignored)
    differing = [key for key in keys if len({values.get(key) for values in overrides.values()}) > 1]
    return {
        path: " ".join(f"{key}={values[key]}" for key in differing if key in values)
        for path, values in overrides.items()
    }


def _overrides(path: Path) -> dict[str, str]:
    saved = path / ".hydra" / "overrides.yaml"
    values = assignments([str(text) for text in OmegaConf.load(saved)]) if saved.is_file() else {}
    return {key: value for key, value in values.items() if not {key, key.split(".")[0]} & set(_NOT_LEARNT_FROM)}
