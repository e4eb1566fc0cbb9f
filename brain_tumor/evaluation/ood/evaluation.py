"""How well foreignness tells foreign pictures from scans, and what the gate makes of both; plain arrays in, JSON out.

Foreignness is above 0 where the gate turns a picture away. Scans are resampled by group; foreign pictures one by one,
though pictures of one set may share a source: their intervals are then too narrow.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from brain_tumor.evaluation.bootstrap import group_weights
from brain_tumor.evaluation.metrics import auroc

Floats = npt.NDArray[np.float64]
KEPT = 0.95
"""Share of scans that FPR95 lets pass."""
ALL = "all sets"


def evaluate_gate(
    scans: Floats, groups: npt.NDArray[np.int64], foreign: Mapping[str, Floats], *, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Figures of a gate, each with a 95 % interval.

    Args:
        scans: Foreignness of N scans that the gate was not fitted on.
        groups: int64 [N], dense numbers.
        foreign: Name of a set → foreignness of its pictures.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        ``scans``: ``images, groups, turned_away``; ``foreign``: for each set, and for `ALL` together, ``images, auroc,
        fpr95, let_through``. Each figure is ``value, ci_low, ci_high``. ``auroc`` in [0, 1]: how often a foreign
        picture is more foreign than a scan. ``fpr95``: share of foreign pictures that pass where 95 % of scans do
        (Hendrycks 2017); lower is better. ``let_through``: share that passes this gate (interval of Wilson 1927).
    """
    weights = np.concatenate([np.ones((1, len(scans))), *group_weights(groups, resamples, seed)])
    sets = {**foreign, ALL: np.concatenate(list(foreign.values()))}
    return {
        "scans": {
            "images": len(scans),
            "groups": int(groups.max()) + 1,
            "turned_away": _estimate(_mean(scans > 0, weights)),
        },
        "foreign": {name: _set(scans, weights, scores, seed) for name, scores in sets.items()},
    }


def turned_away(
    foreignness: Floats, groups: npt.NDArray[np.int64], *, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Share of scans that a gate turns away, with its interval by group: ``images, value, ci_low, ci_high``."""
    weights = np.concatenate([np.ones((1, len(groups))), *group_weights(groups, resamples, seed)])
    return {"images": len(groups), **_estimate(_mean(foreignness > 0, weights))}


def fpr95(scans: Floats, weights: Floats, foreign: Floats, foreign_weights: Floats) -> Floats:
    """Share of foreign pictures at most as foreign as 95 % of the scans are, for B weightings of both: [B] in [0, 1].

    Args:
        scans: [N].
        weights: [B, N].
        foreign: [M].
        foreign_weights: [B, M].
    """
    order = np.argsort(scans, kind="stable")
    reached = np.cumsum(weights[:, order], axis=1) >= KEPT * weights.sum(axis=1, keepdims=True) - 1e-9
    limits = scans[order][reached.argmax(axis=1)]
    return _mean(foreign <= limits[:, None], foreign_weights)


def _set(scans: Floats, weights: Floats, foreign: Floats, seed: int) -> dict[str, Any]:
    drawn = np.concatenate(
        [np.ones((1, len(foreign))), *group_weights(np.arange(len(foreign)), len(weights) - 1, seed + 1)]
    )
    area = auroc(
        np.arange(len(scans) + len(foreign)) >= len(scans),
        np.concatenate([scans, foreign]),
        np.concatenate([weights, drawn], axis=1),
    )
    passed = binomtest(int((foreign <= 0).sum()), len(foreign))
    low, high = passed.proportion_ci(method="wilson")
    return {
        "images": len(foreign),
        "auroc": _estimate(area),
        "fpr95": _estimate(fpr95(scans, weights, foreign, drawn)),
        "let_through": {"value": passed.statistic, "ci_low": float(low), "ci_high": float(high)},
    }


def _mean(flags: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """Weighted share of flags [N] or [B, N]: [B]."""
    share: Floats = (flags * weights).sum(axis=1) / weights.sum(axis=1)
    return share


def _estimate(values: Floats) -> dict[str, float]:
    """The first value, and the middle 95 % of the others."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return {"value": float(values[0]), "ci_low": float(low), "ci_high": float(high)}
