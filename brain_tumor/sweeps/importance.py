"""How much the monitored value depends on each swept key: permutation importance of a random forest."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.table import setting_keys
from brain_tumor.types import Floats

MIN_SETTINGS = 8
"""Smallest number of different settings with a finished job; a forest memorises fewer than that."""

METHOD = (
    "Permutation importance of a random forest that predicts the monitored validation value from the settings: the "
    "loss of R² (share of the variance explained) when the values of one key are shuffled, in settings that the forest "
    "was not fitted on (5 folds; all jobs of a setting in one fold). A loss above 1 is possible: the forest then "
    "predicts worse than the mean."
)
_FOLDS = 5
_REPEATS = 10


@dataclass(frozen=True)
class Importance:
    """Importance of the swept keys, or the reason why it cannot be computed."""

    shares: dict[str, float]
    """Key → loss of R² when its values are shuffled, most important first; empty if there is a ``reason``."""
    r2: float | None
    """R² of the forest in settings that it was not fitted on."""
    reason: str = ""


def key_importance(rows: pd.DataFrame, plan: Plan) -> Importance:
    """Compute the permutation importance of the swept keys over the finished jobs.

    Args:
        rows: Table from `brain_tumor.sweeps.table.read_rows`.
        plan: Plan of the sweep.
    """
    finished = rows[(rows["status"] == "finished") & rows["monitored"].notna()]
    keys = [key for key in setting_keys(plan) if len(set(finished[key])) > 1]
    if len(keys) < 2:
        return Importance({}, None, "fewer than two settings were varied")
    settings = finished.groupby(keys).ngroup().to_numpy()
    n_settings = len(set(settings))
    if n_settings < MIN_SETTINGS:
        return Importance({}, None, f"{n_settings} different settings finished, and {MIN_SETTINGS} are needed")
    if finished["monitored"].nunique() < 2:
        return Importance({}, None, "all jobs have the same monitored value")
    r2, losses = _permutation_losses(finished[keys], finished["monitored"].to_numpy(float), settings)
    if r2 <= 0:
        reason = f"the settings do not explain the results (R² {r2:.2f} in settings that the forest was not fitted on)"
        return Importance({}, r2, reason)
    order = sorted(zip(keys, losses, strict=True), key=lambda pair: -pair[1])
    return Importance({key: float(loss) for key, loss in order}, r2)


def _permutation_losses(table: pd.DataFrame, scores: Floats, settings: npt.NDArray[np.integer]) -> tuple[float, Floats]:
    """Cross-validate the forest over settings.

    Args:
        table: Values of the keys, one row per job.
        scores: Monitored value of each job.
        settings: Index of the setting of each job.

    Returns:
        R² over all left-out folds together, and for each key the loss of R² when its values are shuffled, a mean over
        repeats.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import GroupKFold

    rng = np.random.default_rng(0)
    codes = np.column_stack([_codes(table[key]) for key in table])
    predicted = np.zeros(len(scores))
    predicted_shuffled = np.zeros((codes.shape[1], _REPEATS, len(scores)))
    for fitted, left_out in GroupKFold(min(_FOLDS, len(set(settings)))).split(codes, groups=settings):
        forest = RandomForestRegressor(100, random_state=0).fit(codes[fitted], scores[fitted])
        predicted[left_out] = forest.predict(codes[left_out])
        for key in range(codes.shape[1]):
            for repeat in range(_REPEATS):
                shuffled = codes[left_out].copy()
                shuffled[:, key] = rng.choice(codes[:, key], len(left_out))
                predicted_shuffled[key, repeat, left_out] = forest.predict(shuffled)
    r2 = _r2(scores, predicted)
    return r2, np.array([r2 - np.mean([_r2(scores, repeat) for repeat in key]) for key in predicted_shuffled])


def _r2(scores: Floats, predicted: Floats) -> float:
    return float(1 - ((scores - predicted) ** 2).sum() / ((scores - scores.mean()) ** 2).sum())


def _codes(column: pd.Series) -> Floats:
    """Return numeric values as they are, and other values as indices in the order of their first use."""
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        return numbers.to_numpy(float)
    return pd.factorize(column)[0].astype(float)
