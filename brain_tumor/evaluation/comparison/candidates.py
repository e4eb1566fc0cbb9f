"""Candidates of a comparison: runs grouped by recipe, with all tables aligned to the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brain_tumor.data.duplicates.groups import linked_groups
from brain_tumor.errors import DataError
from brain_tumor.evaluation.predictions import Predictions


def align(tables: Mapping[str, Predictions]) -> dict[str, Predictions]:
    """Bring tables to the same images, classes and groups in the same order.

    Images that any table puts into one group share a group in all of them: tables of different programs need not know
    the same groups.

    Args:
        tables: Name, used in messages → table.

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
    """Refuse tables with different classes; the order of classes does not matter.

    Raises:
        DataError: The classes differ.
    """
    if set(first.classes) != set(table.classes):
        raise DataError(
            f"{name} has the classes {', '.join(first.classes)}, {other} has {', '.join(table.classes)}; only models "
            "of the same classes can be compared."
        )


def _require_images(name: str, first: Predictions, other: str, table: Predictions) -> None:
    ours, theirs = set(first.frame["sample_id"]), set(table.frame["sample_id"])
    if ours == theirs:
        return
    example = min(ours ^ theirs)
    raise DataError(
        f"{name} and {other} were tested on different images: {len(ours & theirs)} in common, {len(ours - theirs)} "
        f"only in {name}, {len(theirs - ours)} only in {other}, first {example!r}; train both on one split, with "
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
    """Predictions of one training run, or a predictions table of another program."""

    name: str
    """Unique name."""
    predictions: Predictions
    recipe: str
    """Key of the recipe: equal for runs that differ only in seed, fold or repeat."""
    title: str
    """Readable name of the recipe."""
    seed: str = ""
    """Seed and repeat of the run."""
    fold: str = ""
    """Fold that was the test split, in cross-validation."""
    label: str = ""
    """Readable name of the run, where its own says little."""


@dataclass(frozen=True)
class Candidate:
    """A compared model: a run, or a recipe with all its seeds and folds."""

    name: str
    """Unique name."""
    runs: tuple[str, ...]
    """Names of its runs."""
    tables: tuple[Predictions, ...]
    """One table per seed; the folds of a seed are one table."""

    @property
    def folds(self) -> int:
        """Number of runs that each table was joined from."""
        return len(self.runs) // len(self.tables)


def make_candidates(runs: Sequence[Run], *, pool: bool = True) -> list[Candidate]:
    """Group runs into candidates whose tables hold the same images in the same order.

    Runs of one recipe with one seed are its folds: their predictions, each made by a model that was not trained on the
    image, are joined into one table. Runs of a recipe that agree in seed and fold as well are no replicates: each is a
    candidate.

    Args:
        runs: Runs, at least one.
        pool: Whether to group runs by recipe; else each run is a candidate.

    Raises:
        DataError: Folds overlap, or classes, images or labels differ.
    """
    groups = _by_recipe(runs) if pool else [[run] for run in runs]
    tables = align({_label(folds): _join(folds) for group in groups for folds in _by_seed(group)})
    return [
        Candidate(name, tuple(run.name for run in group), tuple(tables[_label(folds)] for folds in _by_seed(group)))
        for name, group in zip(_names(groups), groups, strict=True)
    ]


def _by_recipe(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs by recipe, where they are replicates of it."""
    recipes: dict[str, list[Run]] = {}
    for run in runs:
        recipes.setdefault(run.recipe, []).append(run)
    groups = []
    for members in recipes.values():
        replicates = len({(run.seed, run.fold) for run in members}) == len(members)
        groups += [members] if replicates else [[run] for run in members]
    return groups


def _by_seed(group: list[Run]) -> list[list[Run]]:
    """Group the runs of a recipe by seed: each entry holds the folds of one seed."""
    seeds: dict[str, list[Run]] = {}
    for run in group:
        seeds.setdefault(run.seed, []).append(run)
    return list(seeds.values())


def _label(folds: list[Run]) -> str:
    """Name the table of one seed in messages."""
    return folds[0].name if len(folds) == 1 else f"{folds[0].name} with its other folds"


def _join(folds: list[Run]) -> Predictions:
    first, *others = folds
    for other in others:
        require_classes(first.name, first.predictions, other.name, other.predictions)
    if not others:
        return first.predictions
    frame = pd.concat([run.predictions.frame for run in folds], ignore_index=True)
    repeated = frame["sample_id"][frame["sample_id"].duplicated()]
    if len(repeated):
        raise DataError(
            f"{first.name} and the other folds of its recipe share {repeated.nunique()} test images, first "
            f"{repeated.iloc[0]!r}; expected folds without common images: compare single runs with pool=false."
        )
    return Predictions.from_frame(frame)


def _names(groups: list[list[Run]]) -> list[str]:
    """Name the candidates, with the name of a run where two would have the same name."""
    titles = [group[0].label or group[0].name if len(group) == 1 else group[0].title for group in groups]
    return [
        title if titles.count(title) == 1 else f"{title} ({group[0].name}, …)"
        for title, group in zip(titles, groups, strict=True)
    ]
