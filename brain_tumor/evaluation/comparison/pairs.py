"""Each pair of candidates: the paired bootstrap, McNemar's test and DeLong's, adjusted for their number."""

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from brain_tumor.evaluation.comparison.candidates import Candidate
from brain_tumor.evaluation.comparison.resampling import Comparison, difference
from brain_tumor.evaluation.comparison.tests import Placements, delong, holm, mcnemar, placements
from brain_tumor.evaluation.metrics.curves import ANY_TUMOUR
from brain_tumor.evaluation.predictions import Predictions

Test = dict[str, Any]


def pairwise(comparison: Comparison) -> list[dict[str, Any]]:
    """Every pair of candidates, the better one first.

    Returns:
        ``first`` and ``second`` (names), ``difference`` (of the metric that ranks, first − second), ``mcnemar`` and
        ``delong`` (question → test). Beside each ``p`` stands ``p_holm``, adjusted over all pairs, of DeLong's test
        over all questions too. McNemar's and DeLong's tests compare two sets of predictions: they are None where a
        candidate is a recipe of several seeds.
    """
    every = range(len(comparison.candidates))
    single = [_Single.of(candidate) for candidate in comparison.candidates]
    pairs: list[dict[str, Any]] = []
    for a, b in combinations(every, 2):
        one, other = single[a], single[b]
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


class _Single:
    """A candidate that is one set of predictions, prepared once for all its pairs."""

    def __init__(self, table: Predictions) -> None:
        self.right: npt.NDArray[np.bool_] = table.predicted == table.labels
        self._placed = {name: placements(positive, score) for name, (positive, score) in _questions(table).items()}

    @classmethod
    def of(cls, candidate: Candidate) -> "_Single | None":
        return cls(candidate.tables[0]) if len(candidate.tables) == 1 else None

    def delong(self, other: "_Single", level: float) -> dict[str, Test]:
        """Questions that these images cannot answer are left out."""
        both: dict[str, tuple[Placements | None, Placements | None]] = {
            name: (placed, other._placed[name]) for name, placed in self._placed.items()
        }
        return {name: delong(one, two, level) for name, (one, two) in both.items() if one and two}


def _questions(table: Predictions) -> dict[str, tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]]:
    """Positives and score of detection; without a healthy class, of each class against the rest."""
    labels, p, healthy = table.labels, table.probabilities, table.healthy
    if healthy is not None:
        return {ANY_TUMOUR: (labels != healthy, 1 - p[:, healthy])}
    return {name: (labels == c, p[:, c]) for c, name in enumerate(table.classes)}


def _adjust(tests: list[Test]) -> None:
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p
