"""Measure how well properties of the files predict the label; a network can learn such shortcuts, too.

Each property alone, and all of them together, predict the class by a shallow decision tree, tested on groups that the
tree was not fitted on.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from brain_tumor.data.labels import HEALTHY
from brain_tumor.types import Floats

_FOLDS = 5
_SUSPICIOUS = 0.1
"""Balanced accuracy above chance from which a property counts as a shortcut."""


@dataclass(frozen=True)
class Shortcut:
    """How well a property of the files predicts the class."""

    property: str
    """Name of the property, or ``all together``."""
    task: str
    """``classes``, or ``detection``: healthy or not."""
    balanced_accuracy: float
    """Mean recall over classes, in [0, 1], on groups that were not fitted on."""
    chance: float
    """Balanced accuracy of guessing: 1 / number of classes."""
    suspicious: bool
    """Whether the balanced accuracy is far enough above chance to call the property a shortcut."""


def shortcuts(samples: pd.DataFrame, facts: pd.DataFrame) -> list[dict[str, Any]]:
    """Test file format, colour mode, size, border and source, alone and together, as far as they vary.

    Args:
        samples: Samples table with ``label``, ``source`` and ``group``.
        facts: Properties of each file, ``format, mode, width, height, border``, in the order of ``samples``.

    Returns:
        The fields of a `Shortcut` for each property and task, the strongest first; none for a task with a class of too
        few groups to test.
    """
    numbers = facts[["width", "height", "border"]].apply(pd.to_numeric)
    properties = {
        "format": _one_hot(facts["format"]),
        "mode": _one_hot(facts["mode"]),
        "size": numbers[["width", "height"]].to_numpy(np.float64),
        "border": numbers[["border"]].to_numpy(np.float64),
        "source": _one_hot(samples["source"]),
    }
    varying = {name: values for name, values in properties.items() if len(np.unique(values, axis=0)) > 1}
    if len(varying) > 1:
        varying["all together"] = np.hstack(list(varying.values()))
    tasks = {"classes": samples["label"].to_numpy(str)} if len(set(samples["label"])) > 1 else {}
    if HEALTHY in set(samples["label"]) and samples["label"].nunique() > 2:
        tasks["detection"] = (samples["label"] != HEALTHY).to_numpy(str)
    results = []
    for task, labels in tasks.items():
        if samples["group"].groupby(labels).nunique().min() >= _FOLDS:
            folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
            rounds = list(folds.split(labels, labels, samples["group"]))
            results += [_test(name, task, values, labels, rounds) for name, values in varying.items()]
    return [asdict(result) for result in sorted(results, key=lambda result: result.chance - result.balanced_accuracy)]


def _one_hot(column: "pd.Series[str]") -> Floats:
    return pd.get_dummies(column).to_numpy(np.float64)


def _test(name: str, task: str, values: Floats, labels: npt.NDArray[np.str_], rounds: list[Any]) -> Shortcut:
    tree = DecisionTreeClassifier(max_depth=6, min_samples_leaf=5, class_weight="balanced", random_state=0)
    predictions = cross_val_predict(tree, values, labels, cv=rounds)
    score, chance = float(balanced_accuracy_score(labels, predictions)), 1 / len(np.unique(labels))
    return Shortcut(name, task, round(score, 4), round(chance, 4), score - chance > _SUSPICIOUS)
