"""Candidates and their resampled metrics, ranked: what everything else here is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brain_tumor.errors import require
from brain_tumor.evaluation.comparison.candidates import Candidate
from brain_tumor.evaluation.comparison.resampling import Resampled, is_lower_better, resample
from brain_tumor.evaluation.metrics import metric_values


@dataclass(frozen=True)
class Comparison:
    """Candidates, best first."""

    metric: str
    """That ranks."""
    level: float
    """Of all intervals."""
    resamples: int
    candidates: tuple[Candidate, ...]
    resampled: tuple[dict[str, Resampled], ...]
    """Of each candidate: metric → values and draws."""

    @property
    def ranked(self) -> list[Resampled]:
        """The metric that ranks, of each candidate."""
        return [one[self.metric] for one in self.resampled]

    def of(self, name: str) -> tuple[Candidate, dict[str, Resampled]]:
        """A candidate by its name."""
        index = [candidate.name for candidate in self.candidates].index(name)
        return self.candidates[index], self.resampled[index]


def compare(
    candidates: Sequence[Candidate],
    metric: str = "f1_macro",
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Resample all candidates and rank them.

    Args:
        candidates: With aligned tables, as `brain_tumor.evaluation.comparison.candidates.candidates` makes them.
        metric: Any of `brain_tumor.evaluation.metrics.metric_values`.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        level: Of the intervals, in (0, 1).

    Raises:
        ConfigError: There is no such metric.
    """
    table = candidates[0].tables[0]
    known = metric_values(table, np.ones((1, len(table.labels))))
    require(metric in known, f"metric={metric}", ", ".join(known))
    resampled = resample(candidates, resamples, seed)
    values = np.array([one[metric].value for one in resampled])
    order = np.argsort(values if is_lower_better(metric) else -values, kind="stable")  # NaN comes last
    return Comparison(metric, level, resamples, tuple(candidates[i] for i in order), tuple(resampled[i] for i in order))
