"""How well ood_score tells OOD images from scans, and what the detector makes of both; plain arrays in, JSON out.

The OOD score is above 0 where the detector turns an image away. Scans are resampled by group; OOD images one by one,
though images of one set may share a source: their intervals are then too narrow.
"""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from brain_tumor.evaluation.metrics.confusion import ratio
from brain_tumor.evaluation.metrics.estimates import Estimate, estimates
from brain_tumor.evaluation.metrics.probability import auroc
from brain_tumor.evaluation.report.plots import COLOURS
from brain_tumor.types import Floats

Groups = npt.NDArray[np.int64]
KEPT = 0.95
"""Share of scans that FPR95 lets pass."""
ALL = "all sets"


def evaluate_detector(
    scans: Floats, groups: Groups, foreign: Mapping[str, Floats], *, resamples: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Figures of a detector.

    Args:
        scans: The OOD score of N scans that the detector was not fitted on.
        groups: int64 [N], dense numbers.
        foreign: Name of a set → ood_score of its images.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        ``scans``: ``groups`` and ``rejected``; ``foreign``: for each set, and for `ALL` together, ``auroc, fpr95,
        missed``. Each figure is ``value, ci_low, ci_high, n``. ``auroc`` in [0, 1]: how often an OOD images is
        more foreign than a scan. ``fpr95``: share of OOD images that pass where 95 % of scans do (Hendrycks
        2017); lower is better. ``missed``: share that passes this detector.
    """
    sets = {**foreign, ALL: np.concatenate(list(foreign.values()))}
    own = {"groups": int(groups.max()) + 1, "rejected": rejected_share(scans, groups, resamples=resamples, seed=seed)}
    return {
        "scans": own,
        "sets": {name: _set(scans, groups, found, resamples, seed) for name, found in sets.items()},
    }


def rejected_share(ood_score: Floats, groups: Groups, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """Share of scans that a detector rejects, with a 95 % interval by group."""

    def statistics(weights: Floats) -> dict[str, Floats]:
        return {"share": _share(ood_score > 0, weights)}

    shares = {"share": np.ones(len(groups), bool)}
    return estimates(statistics, groups, shares, resamples=resamples, seed=seed)["share"]


def fpr95(scans: Floats, foreign: Floats, weights: Floats) -> Floats:
    """Share of OOD images at most as foreign as 95 % of the scans are: [B] in [0, 1].

    Args:
        scans: [N]
        foreign: [M]
        weights: [B, N + M], of scans, then of OOD images.
    """
    order, own = np.argsort(scans, kind="stable"), weights[:, : len(scans)]
    reached = np.cumsum(own[:, order], axis=1) >= KEPT * own.sum(axis=1, keepdims=True) - 1e-9
    limits = scans[order][reached.argmax(axis=1)]
    return _share(foreign <= limits[:, None], weights[:, len(scans) :])


def _set(scans: Floats, groups: Groups, foreign: Floats, resamples: int, seed: int) -> dict[str, Estimate]:
    scores, first = np.concatenate([scans, foreign]), int(groups.max()) + 1
    is_ood = np.arange(len(scores)) >= len(scans)

    def statistics(weights: Floats) -> dict[str, Floats]:
        return {
            "auroc": auroc(is_ood, scores, weights),
            "fpr95": fpr95(scans, foreign, weights),
            "missed": _share(foreign <= 0, weights[:, len(scans) :]),
        }

    all_groups = np.concatenate([groups, first + np.arange(len(foreign))])
    trials = is_ood if len(foreign) <= first else ~is_ood
    names = ("auroc", "fpr95", "missed")
    shares, trials_of = (dict.fromkeys(names, images) for images in (is_ood, trials))
    return estimates(statistics, all_groups, shares, trials_of, resamples=resamples, seed=seed)


def _share(flags: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """Weighted share of flags [N] or [B, N]: [B]."""
    return ratio((flags * weights).sum(axis=1), weights.sum(axis=1))


_MARKERS = "^sDvPX*<"
_TICKS = (-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100, 200)
_SCANS, _FOREIGN = COLOURS[0], COLOURS[1]


def ood_figure(scans: Floats, foreign: Mapping[str, Floats], seed: int = 0) -> Figure:
    """One row for the scans and one a foreign set, each image a point, with what share the detector rejects.

    Args:
        scans: The OOD score [N].
        foreign: Name of a set → ood_score of its images.
        seed: Of the points' heights, which mean nothing.
    """
    rows = {"scans": scans, **foreign}
    figure = Figure(figsize=(7.2, 1.2 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    rng = np.random.default_rng(seed)
    for height, ((name, scores), marker) in enumerate(zip(rows.items(), cycle("o" + _MARKERS), strict=False)):
        colour = _SCANS if name == "scans" else _FOREIGN
        heights = height + rng.uniform(-0.28, 0.28, len(scores))
        axes.plot(scores, heights, marker, color=colour, alpha=0.35, markersize=3.5, markeredgewidth=0)
        axes.vlines(np.median(scores), height - 0.36, height + 0.36, color="black", linewidth=1.6)
        axes.annotate(
            f"{(scores > 0).mean():.1%}", (1.02, height), xycoords=("axes fraction", "data"), va="center", fontsize=9
        )
    axes.annotate("rejected", (1.02, -0.75), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    axes.axvline(0, color="black", linestyle="--", linewidth=1.2)
    axes.set_xscale("symlog", linthresh=2)
    axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.set_xlim(*_limits(np.concatenate(list(rows.values()))))
    axes.set_yticks(range(len(rows)), [f"{name} (n = {len(scores)})" for name, scores in rows.items()])
    axes.set_ylim(len(rows) - 0.4, -1.1)
    axes.set_xlabel("The OOD score (dashed: the detector; right of it is rejected; short lines: medians)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_title("Scans and OOD images", fontsize=11)
    return figure


def _limits(scores: Floats) -> tuple[float, float]:
    """With some room at both ends."""
    low, high = min(scores.min(), -1.0), max(scores.max(), 1.0)
    return 1.2 * low, 1.2 * high
