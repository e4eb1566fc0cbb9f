"""Measure how well the OOD score separates OOD images from scans, and how many of each the detector rejects.

An image is rejected if its OOD score is above 0. Scans are resampled by group, OOD images one by one; images of one set
may share a source, and their intervals are then too narrow.
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
ACCEPTED = 0.95
"""Share of scans that the limit of FPR95 accepts."""
ALL = "all sets"


def evaluate_detector(
    scans: Floats, groups: Groups, ood: Mapping[str, Floats], *, resamples: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Evaluate a detector on scans and on OOD sets.

    Args:
        scans: OOD scores of N scans that the detector was not fitted on, float64 [N].
        groups: Dense group numbers of the scans, int64 [N].
        ood: Name of an OOD set → OOD scores of its images.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.

    Returns:
        ``scans``: ``groups`` and ``rejected``; ``sets``: for each OOD set, and for `ALL` together, ``auroc, fpr95,
        missed``. Each figure is ``value, ci_low, ci_high, n``. ``auroc`` in [0, 1]: how often an OOD image has a
        higher score than a scan. ``fpr95``: share of OOD images that is accepted at the limit that accepts 95 % of the
        scans (Hendrycks 2017); lower is better. ``missed``: share of OOD images that this detector accepts.
    """
    sets = {**ood, ALL: np.concatenate(list(ood.values()))}
    of_scans = {
        "groups": int(groups.max()) + 1,
        "rejected": rejected_share(scans, groups, resamples=resamples, seed=seed),
    }
    return {
        "scans": of_scans,
        "sets": {name: _set(scans, groups, scores, resamples, seed) for name, scores in sets.items()},
    }


def rejected_share(ood_score: Floats, groups: Groups, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """Compute the share of scans that a detector rejects, with a 95 % interval by group."""

    def statistics(weights: Floats) -> dict[str, Floats]:
        return {"share": _share(ood_score > 0, weights)}

    shares = {"share": np.ones(len(groups), bool)}
    return estimates(statistics, groups, shares, resamples=resamples, seed=seed)["share"]


def missed_shares(ood: Mapping[str, Floats], *, resamples: int = 2000, seed: int = 0) -> dict[str, Estimate]:
    """Compute the share of the images of each OOD set that a detector accepts; lower is better.

    Args:
        ood: Name of an OOD set → OOD scores of its images.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.
    """
    return {
        name: rejected_share(np.where(scores > 0, -1.0, 1.0), np.arange(len(scores)), resamples=resamples, seed=seed)
        for name, scores in ood.items()
    }


def fpr95(scans: Floats, ood: Floats, weights: Floats) -> Floats:
    """Compute the share of OOD images that is accepted at the limit that accepts 95 % of the scans.

    Args:
        scans: OOD scores of scans, [N].
        ood: OOD scores of OOD images, [M].
        weights: Weights of the scans, then of the OOD images, [B, N + M].

    Returns:
        [B] in [0, 1]; lower is better.
    """
    order, scan_weights = np.argsort(scans, kind="stable"), weights[:, : len(scans)]
    reached = np.cumsum(scan_weights[:, order], axis=1) >= ACCEPTED * scan_weights.sum(axis=1, keepdims=True) - 1e-9
    limits = scans[order][reached.argmax(axis=1)]
    return _share(ood <= limits[:, None], weights[:, len(scans) :])


def _set(scans: Floats, groups: Groups, ood: Floats, resamples: int, seed: int) -> dict[str, Estimate]:
    scores, first = np.concatenate([scans, ood]), int(groups.max()) + 1
    is_ood = np.arange(len(scores)) >= len(scans)

    def statistics(weights: Floats) -> dict[str, Floats]:
        return {
            "auroc": auroc(is_ood, scores, weights),
            "fpr95": fpr95(scans, ood, weights),
            "missed": _share(ood <= 0, weights[:, len(scans) :]),
        }

    all_groups = np.concatenate([groups, first + np.arange(len(ood))])
    trials = is_ood if len(ood) <= first else ~is_ood
    names = ("auroc", "fpr95", "missed")
    shares, trials_of = (dict.fromkeys(names, images) for images in (is_ood, trials))
    return estimates(statistics, all_groups, shares, trials_of, resamples=resamples, seed=seed)


def _share(flags: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """Compute the weighted share of flags [N] or [B, N], [B]."""
    return ratio((flags * weights).sum(axis=1), weights.sum(axis=1))


_MARKERS = "^sDvPX*<"
_TICKS = (-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50, 100, 200)
_SCANS, _OOD = COLOURS[0], COLOURS[1]


def ood_figure(scans: Floats, ood: Mapping[str, Floats], seed: int = 0) -> Figure:
    """Draw one row for the scans and one for each OOD set: a point per image, and the share that is rejected.

    Args:
        scans: OOD scores of scans, [N].
        ood: Name of an OOD set → OOD scores of its images.
        seed: Seed of the vertical jitter of the points.
    """
    rows = {"scans": scans, **ood}
    figure = Figure(figsize=(7.2, 1.2 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    rng = np.random.default_rng(seed)
    for height, ((name, scores), marker) in enumerate(zip(rows.items(), cycle("o" + _MARKERS), strict=False)):
        colour = _SCANS if name == "scans" else _OOD
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
