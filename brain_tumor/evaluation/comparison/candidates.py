"""Runs that are one recipe tried several times are one candidate; all tables brought onto the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brain_tumor.data.duplicates.groups import linked_groups
from brain_tumor.errors import DataError
from brain_tumor.evaluation.predictions import Predictions


def align(tables: Mapping[str, Predictions]) -> dict[str, Predictions]:
    """Tables with the same images, classes and groups in the same order.

    Images that any table puts into one group stay together: groups are known to one model's table and not to another's
    where the tables come from different programs.

    Args:
        tables: Name → table; names are for messages.

    Raises:
        DataError: Classes, images or labels differ.
    """
    (name, first), *others = tables.items()
    for other, table in others:
        require_classes(name, first, other, table)
        _require_images(name, first, other, table)
        _require_labels(name, first, other, table)
    ids = np.sort(first.frame["sample_id"].to_numpy(object))
    ordered = {name: _ordered(table, ids, first.classes) for name, table in tables.items()}
    given = [table.frame["group"].astype(str) for table in ordered.values() if "group" in table.frame]
    groups = linked_groups(*given) if given else np.arange(len(ids))
    return {
        name: Predictions(table.classes, table.labels, table.probabilities, groups, table.frame)
        for name, table in ordered.items()
    }


def require_classes(name: str, first: Predictions, other: str, table: Predictions) -> None:
    """Refuse tables of different classes; their order does not matter.

    Raises:
        DataError: They differ.
    """
    if set(first.classes) != set(table.classes):
        raise DataError(
            f"{name} tells {', '.join(first.classes)} apart, {other} {', '.join(table.classes)}; only models of the "
            "same classes can be compared."
        )


def _require_images(name: str, first: Predictions, other: str, table: Predictions) -> None:
    ours, theirs = set(first.frame["sample_id"]), set(table.frame["sample_id"])
    if ours == theirs:
        return
    first_odd = min(ours ^ theirs)
    raise DataError(
        f"{name} and {other} were tested on different images: {len(ours & theirs)} in common, {len(ours - theirs)} "
        f"only in {name}, {len(theirs - ours)} only in {other}, first {first_odd!r}; train both on one split, with "
        "split=file split.path=RUN/samples.csv."
    )


def _require_labels(name: str, first: Predictions, other: str, table: Predictions) -> None:
    ours, theirs = (one.frame.set_index("sample_id")["label"] for one in (first, table))
    differing = ours[ours != theirs.loc[ours.index]]
    if len(differing):
        raise DataError(
            f"{name} and {other} disagree on the label of {len(differing)} images, first {differing.index[0]!r}; "
            "bring the tables to one set of labels."
        )


def _ordered(table: Predictions, ids: np.ndarray, classes: tuple[str, ...]) -> Predictions:
    rows = pd.Index(table.frame["sample_id"]).get_indexer(pd.Index(ids))
    columns = [table.classes.index(name) for name in classes]
    frame = table.frame.iloc[rows].reset_index(drop=True)
    labels = pd.Index(classes).get_indexer(pd.Index(frame["label"])).astype(np.int64)
    return Predictions(classes, labels, table.probabilities[np.ix_(rows, columns)], table.groups[rows], frame)


@dataclass(frozen=True)
class Run:
    """The predictions of one training, or a table from elsewhere."""

    name: str
    """Unique."""
    predictions: Predictions
    recipe: str
    """Equal for runs that differ only in what was drawn: seed, fold, repeat."""
    title: str
    """Of the recipe, for people."""
    seed: str = ""
    """What was drawn beside the fold: seed, repeat."""
    fold: str = ""
    """Which part was the test, where each in turn is."""
    label: str = ""
    """Of the run, for people, where its name tells them little."""


@dataclass(frozen=True)
class Candidate:
    """What is compared: a run, or a recipe with all its seeds and folds."""

    name: str
    """Unique."""
    runs: tuple[str, ...]
    tables: tuple[Predictions, ...]
    """One a seed; the folds of a seed are one table."""

    @property
    def folds(self) -> int:
        """Runs that each table was joined from; 1 where it is a run's own."""
        return len(self.runs) // len(self.tables)


def candidates(runs: Sequence[Run], *, pool: bool = True) -> list[Candidate]:
    """Group runs into candidates, whose tables all hold the same images in the same order.

    Runs of one recipe with one seed are its folds: their predictions, each made by a model that had not seen the image,
    are joined into one table. Where runs of a recipe agree in seed and fold too they are no replicates, and each stands
    for itself.

    Args:
        runs: At least one.
        pool: Group; else each run is a candidate.

    Raises:
        DataError: Folds overlap, or classes, images or labels differ.
    """
    groups = _groups(runs) if pool else [[run] for run in runs]
    tables = align({_label(part): _join(part) for group in groups for part in _seeds(group)})
    return [
        Candidate(name, tuple(run.name for run in group), tuple(tables[_label(part)] for part in _seeds(group)))
        for name, group in zip(_names(groups), groups, strict=True)
    ]


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
    recipes: dict[str, list[Run]] = {}
    for run in runs:
        recipes.setdefault(run.recipe, []).append(run)
    found = []
    for members in recipes.values():
        replicates = len({(run.seed, run.fold) for run in members}) == len(members)
        found += [members] if replicates else [[run] for run in members]
    return found


def _seeds(group: list[Run]) -> list[list[Run]]:
    """The runs of each seed."""
    seeds: dict[str, list[Run]] = {}
    for run in group:
        seeds.setdefault(run.seed, []).append(run)
    return list(seeds.values())


def _label(part: list[Run]) -> str:
    """How messages call the table of one seed."""
    return part[0].name if len(part) == 1 else f"{part[0].name} with its other folds"


def _join(part: list[Run]) -> Predictions:
    first, *others = part
    for other in others:
        require_classes(first.name, first.predictions, other.name, other.predictions)
    if not others:
        return first.predictions
    frame = pd.concat([run.predictions.frame for run in part], ignore_index=True)
    twice = frame["sample_id"][frame["sample_id"].duplicated()]
    if len(twice):
        raise DataError(
            f"{first.name} and the other folds of its recipe share {twice.nunique()} test images, first "
            f"{twice.iloc[0]!r}; folds have none in common: compare each run for itself with pool=false."
        )
    return Predictions.from_frame(frame)


def _names(groups: list[list[Run]]) -> list[str]:
    """What a run or its recipe is called, with a run's name where two are called alike."""
    titles = [group[0].label or group[0].name if len(group) == 1 else group[0].title for group in groups]
    return [
        title if titles.count(title) == 1 else f"{title} ({group[0].name}, …)"
        for title, group in zip(titles, groups, strict=True)
    ]
