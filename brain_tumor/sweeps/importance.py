"""How much the monitored value depends on each swept key."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.sweeps.jobs import Plan
from brain_tumor.sweeps.table import choices

MIN_SETTINGS = 8
"""Different settings that must have finished; with fewer, a forest learns them by heart."""

METHOD = (
    "Permutation importance of a random forest that predicts the monitored validation value from the settings: how "
    "much R² (share of the variance explained) is lost when one key's values are shuffled, in settings that it was "
    "not fitted on (5 folds; all jobs of a setting in one fold). More than 1 is possible: worse than the mean."
)
_FOLDS = 5
_REPEATS = 10


@dataclass(frozen=True)
class Importance:
    """Either ``shares`` or the reason why there are none."""

    shares: dict[str, float]
    """Key → loss of R², most important first."""
    r2: float | None
    """Variance explained in settings that the forest had not seen."""
    reason: str = ""


def importance(rows: pd.DataFrame, plan: Plan) -> Importance:
    """Permutation importance of the swept keys over the finished jobs.

    Args:
        rows: Of `brain_tumor.sweeps.table.read_rows`.
        plan: The sweep's.
    """
    done = rows[(rows["status"] == "finished") & rows["monitored"].notna()]
    keys = [key for key in choices(plan) if len(set(done[key])) > 1]
    settings = done.groupby(keys).ngroup().to_numpy() if keys else np.zeros(len(done), int)
    if len(keys) < 2:
        return Importance({}, None, "fewer than two settings were varied")
    if (found := len(set(settings))) < MIN_SETTINGS:
        return Importance({}, None, f"{found} different settings finished, and {MIN_SETTINGS} are needed")
    if done["monitored"].nunique() < 2:
        return Importance({}, None, "all jobs came to the same value")
    r2, shares = _permuted(done[keys], done["monitored"].to_numpy(float), settings)
    if r2 <= 0:
        return Importance({}, r2, f"the settings do not explain the results (R² {r2:.2f} in settings not fitted on)")
    order = sorted(zip(keys, shares, strict=True), key=lambda pair: -pair[1])
    return Importance({key: float(share) for key, share in order}, r2)


def _permuted(
    table: pd.DataFrame, scores: npt.NDArray[np.float64], settings: npt.NDArray[np.integer]
) -> tuple[float, npt.NDArray[np.float64]]:
    """R² over the left-out folds taken together, and what of it is lost with each key."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import GroupKFold

    rng = np.random.default_rng(0)
    codes = np.column_stack([_numbers(table[key]) for key in table])
    whole, lost = np.zeros(len(scores)), np.zeros((codes.shape[1], _REPEATS, len(scores)))
    for fitted, left in GroupKFold(min(_FOLDS, len(set(settings)))).split(codes, groups=settings):
        forest = RandomForestRegressor(100, random_state=0).fit(codes[fitted], scores[fitted])
        whole[left] = forest.predict(codes[left])
        for key in range(codes.shape[1]):
            for repeat in range(_REPEATS):
                shuffled = codes[left].copy()
                shuffled[:, key] = rng.choice(codes[:, key], len(left))
                lost[key, repeat, left] = forest.predict(shuffled)
    base = _r2(scores, whole)
    return base, np.array([base - np.mean([_r2(scores, repeat) for repeat in key]) for key in lost])


def _r2(truth: npt.NDArray[np.float64], found: npt.NDArray[np.float64]) -> float:
    return float(1 - ((truth - found) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def _numbers(column: pd.Series) -> npt.NDArray[np.float64]:
    """Numbers as they are, other values by their order of first use."""
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        return numbers.to_numpy(float)
    return pd.factorize(column)[0].astype(float)
