"""``compare.json``: the candidates, best first, and how sure their order is."""

from typing import Any

import numpy as np

from brain_tumor.evaluation.comparison.pairs import pairwise
from brain_tumor.evaluation.comparison.resampling import Comparison, Resampled, best_shares, is_lower_better
from brain_tumor.evaluation.report.format import DETECTION, HEADLINES


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """All that was found.

    Returns:
        ``metric``, ``lower_is_better``, ``level``, ``resamples``; ``n`` (``images groups classes``); ``candidates``,
        best first: ``rank name runs seeds folds value sd ci_low ci_high``, ``difference`` (to the best: ``value ci_low
        ci_high p p_holm``; None of the best itself), ``best_share`` (of the resamples, in which it is best) and
        ``metrics`` (further ones with ``value sd ci_low ci_high``); ``pairs`` of
        `brain_tumor.evaluation.comparison.pairs.pairwise`; and ``notes``, what a reader must know. What is undefined is
        None.
    """
    table = comparison.candidates[0].tables[0]
    pairs = pairwise(comparison)
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
        "candidates": _ranking(comparison, pairs),
        "pairs": pairs,
        "notes": _notes(comparison),
    }


def _ranking(comparison: Comparison, pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    best = comparison.candidates[0].name
    to_best = {pair["second"]: _turned(pair["difference"]) for pair in pairs if pair["first"] == best}
    shares = best_shares(comparison.ranked, lower_is_better=is_lower_better(comparison.metric))
    further = [name for name in (*HEADLINES, *DETECTION) if name in comparison.resampled[0]]
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
            "metrics": {name: estimate(resampled[name], comparison.level) for name in further},
        }
        for rank, (candidate, resampled, share) in enumerate(entries, start=1)
    ]


def estimate(resampled: Resampled, level: float) -> dict[str, float | None]:
    """``value`` (mean over seeds), ``sd`` (over seeds), ``ci_low``, ``ci_high``."""
    value = resampled.value if np.isfinite(resampled.value) else None
    return {"value": value, "sd": resampled.sd, **resampled.interval(level)}


def _turned(difference: dict[str, Any]) -> dict[str, Any]:
    """The same difference, seen from the other side."""
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
            "A candidate of several seeds is their mean ± standard deviation; its interval resamples patients and "
            "seeds, so that it speaks of training again."
        )
    if singles:
        notes.append("The interval of a single run speaks of its weights on other patients, not of training again.")
    if any(candidate.folds > 1 for candidate in comparison.candidates):
        notes.append(
            "Folds are joined: each image was predicted by the one model of its recipe and seed that had not seen it. "
            "Areas under curves mix the scores of these models."
        )
    if singles and len(comparison.candidates) > 1 and recipes:
        notes.append(
            "McNemar's and DeLong's tests compare two sets of predictions; recipes of several seeds have none."
        )
    pairs = len(comparison.candidates) * (len(comparison.candidates) - 1) // 2
    if 2 * pairs / (comparison.resamples + 1) > 1 - comparison.level:
        notes.append(
            f"{comparison.resamples} resamples are too few to tell any of {pairs} pairs apart: no adjusted p of the "
            f"bootstrap can be below {min(2 * pairs / (comparison.resamples + 1), 1):.2g}; raise resamples."
        )
    if len(singles) > 1 and groups < images:
        notes.append(
            f"McNemar's and DeLong's tests take the {images} images for independent, but they come from {groups} "
            "groups: trust the bootstrap, which resamples whole groups."
        )
    return notes
