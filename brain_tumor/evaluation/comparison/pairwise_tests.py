"""Tests of each pair of candidates: paired bootstrap, McNemar and DeLong, adjusted for the number of tests."""

from itertools import combinations
from typing import Any

from brain_tumor.evaluation.comparison.candidates import Candidate
from brain_tumor.evaluation.comparison.resampling import Comparison, difference
from brain_tumor.evaluation.comparison.significance_tests import Placements, delong, holm, mcnemar, placements
from brain_tumor.evaluation.metrics.curves import ANY_TUMOUR
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats

Test = dict[str, Any]


def compare_pairs(comparison: Comparison) -> list[dict[str, Any]]:
    """Test every pair of candidates, the better one first.

    Returns:
        ``first`` and ``second`` (names), ``difference`` (of the ranking metric, first − second), ``mcnemar`` and
        ``delong`` (binary task → test). Beside each ``p`` is ``p_holm``, adjusted over all pairs, for DeLong's test
        also over all tasks. McNemar's and DeLong's tests compare single runs: they are None where a candidate is a
        recipe of several seeds.
    """
    runs = [_SingleRun.of(candidate) for candidate in comparison.candidates]
    pairs: list[dict[str, Any]] = []
    for a, b in combinations(range(len(runs)), 2):
        one, other = runs[a], runs[b]
        pairs.append(
            {
                "first": comparison.candidates[a].name,
                "second": comparison.candidates[b].name,
                "difference": difference(comparison.ranked[a], comparison.ranked[b], comparison.level),
                "mcnemar": mcnemar(one.right, other.right) if one and other else None,
                "delong": one.delong(other, comparison.level) if one and other else None,
            }
        )
    _adjust([pair["difference"] for pair in pairs])
    _adjust([pair["mcnemar"] for pair in pairs if pair["mcnemar"]])
    _adjust([test for pair in pairs for test in (pair["delong"] or {}).values()])
    return pairs


class _SingleRun:
    """Predictions of a candidate with one run, prepared once for all its pairs."""

    def __init__(self, table: Predictions) -> None:
        self.right: Flags = table.predicted == table.labels
        self._placed = {task: placements(positive, score) for task, (positive, score) in _binary_tasks(table).items()}

    @classmethod
    def of(cls, candidate: Candidate) -> "_SingleRun | None":
        """Prepare a candidate; None for a recipe of several seeds."""
        return cls(candidate.tables[0]) if len(candidate.tables) == 1 else None

    def delong(self, other: "_SingleRun", level: float) -> dict[str, Test]:
        """Compare the areas of each task; a task with too few positives or negatives is left out."""
        both: dict[str, tuple[Placements | None, Placements | None]] = {
            task: (placed, other._placed[task]) for task, placed in self._placed.items()
        }
        return {task: delong(one, two, level) for task, (one, two) in both.items() if one and two}


def _binary_tasks(table: Predictions) -> dict[str, tuple[Flags, Floats]]:
    """Return positives and scores of detection; without a healthy class, of each class against the rest."""
    labels, p, healthy = table.labels, table.probabilities, table.healthy
    if healthy is not None:
        return {ANY_TUMOUR: (labels != healthy, 1 - p[:, healthy])}
    return {name: (labels == c, p[:, c]) for c, name in enumerate(table.classes)}


def _adjust(tests: list[Test]) -> None:
    """Add ``p_holm`` to each test of a family."""
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p
