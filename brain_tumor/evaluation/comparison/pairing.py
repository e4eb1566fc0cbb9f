"""Bring the tables of several models onto the same images in the same order, or say why that cannot be."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from brain_tumor.data.grouping import linked_groups
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
