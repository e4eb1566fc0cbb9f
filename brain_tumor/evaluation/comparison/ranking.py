"""``compare.json``: the candidates, best first, with the certainty of their order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from brain_tumor.evaluation.comparison.pairwise_tests import compare_pairs
from brain_tumor.evaluation.comparison.resampling import Comparison, Resampled, best_shares, is_lower_better
from brain_tumor.evaluation.report.headlines import DETECTION, HEADLINES, LOCALIZATION


def comparison_document(comparison: Comparison, columns: Sequence[str] = ()) -> dict[str, Any]:
    """Collect the results of a comparison.

    Args:
        comparison: Comparison.
        columns: Metrics to add to those that every comparison states.

    Returns:
        ``metric``, ``lower_is_better``, ``level``, ``resamples``; ``n`` (``images groups classes``); ``candidates``,
        best first: ``rank name runs seeds folds value sd ci_low ci_high``, ``difference`` (to the best: ``value ci_low
        ci_high p p_holm``; None for the best itself), ``best_share`` (share of resamples in which it is best) and
        ``metrics`` (those that any candidate has, each ``value sd ci_low ci_high``); ``pairs`` of
        `brain_tumor.evaluation.comparison.pairwise_tests.compare_pairs`; and ``notes`` for readers. Undefined
        values are None.
    """
    table = comparison.candidates[0].tables[0]
    pairs = compare_pairs(comparison)
    return {
        "metric": comparison.metric,
        "lower_is_better": is_lower_better(comparison.metric),
        "level": comparison.level,
        "resamples": comparison.resamples,
        "n": {
            "images": len(table.labels),
            "groups": int(table.groups.max()) + 1,
            "classes": list(table.classes),
        },
        "candidates": _ranking(comparison, pairs, columns),
        "pairs": pairs,
        "notes": _notes(comparison),
    }


def _ranking(comparison: Comparison, pairs: list[dict[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    best = comparison.candidates[0].name
    to_best = {pair["second"]: _negated(pair["difference"]) for pair in pairs if pair["first"] == best}
    shares = best_shares(comparison.ranked, lower_is_better=is_lower_better(comparison.metric))
    known = set().union(*comparison.resampled)
    listed = dict.fromkeys((*HEADLINES, *DETECTION, *LOCALIZATION, comparison.metric, *columns))
    further = [name for name in listed if name in known]
    entries = zip(comparison.candidates, comparison.resampled, shares, strict=True)
    return [
        {
            "rank": rank,
            "name": candidate.name,
            "runs": list(candidate.runs),
            "seeds": len(candidate.tables),
            "folds": candidate.folds,
            **estimate(resampled[comparison.metric], comparison.level),
            "difference": to_best.get(candidate.name),
            "best_share": share,
            "metrics": {name: estimate(resampled.get(name), comparison.level) for name in further},
        }
        for rank, (candidate, resampled, share) in enumerate(entries, start=1)
    ]


def estimate(resampled: Resampled | None, level: float) -> dict[str, float | None]:
    """Summarise a metric of a candidate.

    Args:
        resampled: Values and draws; None: the candidate lacks the metric.
        level: Coverage of the interval, in (0, 1).

    Returns:
        ``value`` (mean over seeds), ``sd`` (over seeds), ``ci_low``, ``ci_high``; None where undefined.
    """
    if resampled is None or not np.isfinite(resampled.value):
        return {"value": None, "sd": None, "ci_low": None, "ci_high": None}
    return {"value": resampled.value, "sd": resampled.sd, **resampled.interval(level)}


def _negated(difference: dict[str, Any]) -> dict[str, Any]:
    """Turn first − second into second − first."""
    value, low, high = (None if difference[key] is None else -difference[key] for key in ("value", "ci_low", "ci_high"))
    return {**difference, "value": value, "ci_low": high, "ci_high": low}


def _notes(comparison: Comparison) -> list[str]:
    table = comparison.candidates[0].tables[0]
    images, groups = len(table.labels), int(table.groups.max()) + 1
    singles = [candidate for candidate in comparison.candidates if len(candidate.tables) == 1]
    recipes = len(comparison.candidates) - len(singles)
    notes = []
    if recipes:
        notes.append(
            "A candidate of several seeds is shown as mean ± standard deviation over seeds; its interval resamples "
            "patients and seeds, so that it covers other patients and repeated training."
        )
    if singles:
        notes.append("The interval of a single run covers other patients, but not repeated training.")
    if any(candidate.folds > 1 for candidate in comparison.candidates):
        notes.append(
            "Folds are joined: each of these images was predicted by the model of its recipe and seed that was not "
            "trained on it. Areas under curves mix the scores of these models."
        )
    if singles and len(comparison.candidates) > 1 and recipes:
        notes.append("McNemar's and DeLong's tests compare single runs; recipes of several seeds have none.")
    pairs = len(comparison.candidates) * (len(comparison.candidates) - 1) // 2
    if 2 * pairs / (comparison.resamples + 1) > 1 - comparison.level:
        notes.append(
            f"{comparison.resamples} resamples are too few for {pairs} pairs: no adjusted p-value of the bootstrap can "
            f"be below {min(2 * pairs / (comparison.resamples + 1), 1):.2g}; raise resamples."
        )
    if len(singles) > 1 and groups < images:
        notes.append(
            f"McNemar's and DeLong's tests assume {images} independent images, but these come from {groups} groups: "
            "trust the bootstrap, which resamples whole groups."
        )
    return notes
