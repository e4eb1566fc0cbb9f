"""Can the label be told without looking at the brain? Then a network can, too.

Each property of the files alone, and all of them together, predict the class by a shallow tree, tested on groups
that the tree has not seen.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from brain_tumor.data.labels import HEALTHY

_FOLDS = 5
_SUSPICIOUS = 0.1
"""Balanced accuracy above chance from which a property counts as a shortcut."""


@dataclass(frozen=True)
class Shortcut:
    """How well one property of the files tells the class."""

    property: str
    task: str
    """``classes``, or ``detection``: healthy or not."""
    balanced_accuracy: float
    chance: float
    suspicious: bool


def shortcuts(samples: pd.DataFrame, facts: pd.DataFrame) -> list[dict[str, Any]]:
    """Test file format, colour mode, size, border and source, alone and together; those that vary at all.

    Args:
        samples: With ``label``, ``source`` and ``group``.
        facts: ``format, mode, width, height, border``, row by row the same.

    Returns:
        `Shortcut` by property and task, the strongest first; none where a class has too few groups to be tested.
    """
    numbers = facts[["width", "height", "border"]].apply(pd.to_numeric)
    properties = {
        "format": _codes(facts["format"]),
        "mode": _codes(facts["mode"]),
        "size": numbers[["width", "height"]].to_numpy(np.float64),
        "border": numbers[["border"]].to_numpy(np.float64),
        "source": _codes(samples["source"]),
    }
    varying = {name: values for name, values in properties.items() if len(np.unique(values, axis=0)) > 1}
    if len(varying) > 1:
        varying["all together"] = np.hstack(list(varying.values()))
    tasks = {"classes": samples["label"].to_numpy(str)}
    if HEALTHY in set(samples["label"]) and samples["label"].nunique() > 2:
        tasks["detection"] = (samples["label"] != HEALTHY).to_numpy(str)
    found = []
    for task, labels in tasks.items():
        if samples["group"].groupby(labels).nunique().min() >= _FOLDS:
            folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
            rounds = list(folds.split(labels, labels, samples["group"]))
            found += [_test(name, task, values, labels, rounds) for name, values in varying.items()]
    return [asdict(one) for one in sorted(found, key=lambda one: one.chance - one.balanced_accuracy)]


def _codes(column: "pd.Series[str]") -> Any:
    return pd.get_dummies(column).to_numpy(np.float64)


def _test(name: str, task: str, values: Any, labels: Any, rounds: list[Any]) -> Shortcut:
    tree = DecisionTreeClassifier(max_depth=6, min_samples_leaf=5, class_weight="balanced", random_state=0)
    told = cross_val_predict(tree, values, labels, cv=rounds)
    score, chance = float(balanced_accuracy_score(labels, told)), 1 / len(np.unique(labels))
    return Shortcut(name, task, round(score, 4), round(chance, 4), score - chance > _SUSPICIOUS)
