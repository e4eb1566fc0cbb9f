"""Metrics of a score that should be higher for positives, for many weightings float64 [B, N] at once."""

import numpy as np
import numpy.typing as npt

from brain_tumor.evaluation.confusion import Floats, ratio


def ranking(positive: npt.NDArray[np.bool_], score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Areas under the ROC and the precision–recall curve, each [B] in [0, 1]; higher is better.

    The first counts ties half; NaN where only one side has weight. The second is average precision: the precision at
    each threshold, weighted by the step in sensitivity, without interpolation (as scikit-learn); NaN without positives.

    Args:
        positive: bool [N].
        score: float64 [N].
        weights: float64 [B, N].
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.nan))  # of runs of equal scores; NaN differs from all
    ordered = weights[:, order]
    up = np.add.reduceat(ordered * positive[order], starts, axis=1)
    down = np.add.reduceat(ordered, starts, axis=1) - up
    up_below, down_below = np.cumsum(up, axis=1), np.cumsum(down, axis=1)
    ups, downs = up_below[:, -1], down_below[:, -1]
    area = ratio((up * (down_below - down / 2)).sum(axis=1), ups * downs)
    up_from = ups[:, None] - up_below + up
    all_from = up_from + downs[:, None] - down_below + down
    precision = up_from / np.maximum(all_from, np.finfo(float).tiny)
    return area, ratio((up * precision).sum(axis=1), ups)


def auroc(positive: npt.NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve, see `ranking`."""
    return ranking(positive, score, weights)[0]
