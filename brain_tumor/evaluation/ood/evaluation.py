"""How well foreignness tells foreign pictures from scans, and what the gate makes of both; plain arrays in, JSON out.

Foreignness is above 0 where the gate turns a picture away. Scans are resampled by group; foreign pictures one by one,
though pictures of one set may share a source: their intervals are then too narrow.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from brain_tumor.evaluation.bootstrap import Statistics, intervals
from brain_tumor.evaluation.confusion import ratio
from brain_tumor.evaluation.proportions import exact
from brain_tumor.evaluation.ranking import auroc
from brain_tumor.evaluation.results import Estimate

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]
KEPT = 0.95
"""Share of scans that FPR95 lets pass."""
ALL = "all sets"


def evaluate_gate(
    scans: Floats, groups: Groups, foreign: Mapping[str, Floats], *, resamples: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Figures of a gate.

    Args:
        scans: Foreignness of N scans that the gate was not fitted on.
        groups: int64 [N], dense numbers.
        foreign: Name of a set → foreignness of its pictures.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        ``scans``: ``groups`` and ``turned_away``; ``foreign``: for each set, and for `ALL` together, ``auroc, fpr95,
        let_through``. Each figure is ``value, ci_low, ci_high, n``. ``auroc`` in [0, 1]: how often a foreign picture is
        more foreign than a scan. ``fpr95``: share of foreign pictures that pass where 95 % of scans do (Hendrycks
        2017); lower is better. ``let_through``: share that passes this gate.
    """
    sets = {**foreign, ALL: np.concatenate(list(foreign.values()))}
    own = {"groups": int(groups.max()) + 1, "turned_away": turned_away(scans, groups, resamples=resamples, seed=seed)}
    return {
        "scans": own,
        "foreign": {name: _set(scans, groups, found, resamples, seed) for name, found in sets.items()},
    }


def turned_away(foreignness: Floats, groups: Groups, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """Share of scans that a gate turns away, with a 95 % interval by group."""

    def statistics(weights: Floats) -> dict[str, Floats]:
        return {"share": _share(foreignness > 0, weights)}

    return _estimates(statistics, groups, int(groups.max()) + 1, len(groups), resamples, seed)["share"]


def fpr95(scans: Floats, foreign: Floats, weights: Floats) -> Floats:
    """Share of foreign pictures at most as foreign as 95 % of the scans are: [B] in [0, 1].

    Args:
        scans: [N]
        foreign: [M]
        weights: [B, N + M], of scans, then of foreign pictures.
    """
    order, own = np.argsort(scans, kind="stable"), weights[:, : len(scans)]
    reached = np.cumsum(own[:, order], axis=1) >= KEPT * own.sum(axis=1, keepdims=True) - 1e-9
    limits = scans[order][reached.argmax(axis=1)]
    return _share(foreign <= limits[:, None], weights[:, len(scans) :])


def _set(scans: Floats, groups: Groups, foreign: Floats, resamples: int, seed: int) -> dict[str, Estimate]:
    scores, first = np.concatenate([scans, foreign]), int(groups.max()) + 1
    is_foreign = np.arange(len(scores)) >= len(scans)

    def statistics(weights: Floats) -> dict[str, Floats]:
        return {
            "auroc": auroc(is_foreign, scores, weights),
            "fpr95": fpr95(scans, foreign, weights),
            "let_through": _share(foreign <= 0, weights[:, len(scans) :]),
        }

    everyone = np.concatenate([groups, first + np.arange(len(foreign))])
    return _estimates(statistics, everyone, min(first, len(foreign)), len(foreign), resamples, seed)


def _share(flags: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """Weighted share of flags [N] or [B, N]: [B]."""
    return ratio((flags * weights).sum(axis=1), weights.sum(axis=1))


def _estimates(
    statistics: Statistics, groups: Groups, trials: int, images: int, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Values with intervals; where a 0 or 1 cannot move in a resample, exact ones for so many independent trials."""
    point, spans = statistics(np.ones((1, len(groups)))), intervals(statistics, groups, resamples, seed)
    found: dict[str, Estimate] = {}
    for name, (value,) in point.items():
        stuck = value in (0.0, 1.0) and spans[name][0] == spans[name][1]
        low, high = exact(value, trials) if stuck else spans[name]
        found[name] = {"value": float(value), "ci_low": low, "ci_high": high, "n": images}
    return found
