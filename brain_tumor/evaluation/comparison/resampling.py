"""Paired bootstrap of whole groups, and the ranking of candidates by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brain_tumor.data.progress import progress
from brain_tumor.errors import require
from brain_tumor.evaluation.comparison.candidates import Candidate
from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.metrics.bootstrap import BIASED, group_weights, recentred
from brain_tumor.evaluation.metrics.estimates import exact_interval, trial_images
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats

LOWER_IS_BETTER = ("loss", "nll", "brier", "ece", "ece_mass", "ece_classwise", "localization/false_area")


@dataclass(frozen=True)
class Resampled:
    """Values and bootstrap draws of one metric of one candidate."""

    values: Floats
    """[S], one per seed, on all images."""
    draws: Floats
    """[B], mean over seeds in each resample; NaN where the metric is undefined there."""
    trials: int = 0
    """Number of groups that count in a metric in [0, 1], for the exact interval of a 0 or 1; 0: there is none."""
    biased: bool = False
    """Whether it is one of `brain_tumor.evaluation.metrics.bootstrap.BIASED`."""

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.values.mean())

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds (n − 1); None for a single seed."""
        return _defined(float(self.values.std(ddof=1))) if len(self.values) > 1 else None

    def interval(self, level: float) -> dict[str, float | None]:
        """Compute ``ci_low`` and ``ci_high``: percentiles of the draws.

        Those of a biased metric are moved to its value; a 0 or 1 that is the same in every resample has an exact one.

        Args:
            level: Coverage in (0, 1).
        """
        if self.biased:
            low, high = recentred(self.value, self.draws, level)
            return {"ci_low": _defined(low), "ci_high": _defined(high)}
        interval = _percentiles(self.draws, level)
        if self.trials and self.value in (0.0, 1.0) and interval["ci_low"] == interval["ci_high"]:
            low, high = exact_interval(self.value, self.trials, level)
            return {"ci_low": low, "ci_high": high}
        return interval


def resample(candidates: Sequence[Candidate], resamples: int, seed: int) -> list[dict[str, Resampled]]:
    """Compute every metric of every candidate in the same resamples of whole groups.

    For a candidate with S seeds, each resample averages S − 1 of them, drawn with replacement: S of them would make
    the variance over seeds too small by (S − 1) / S (Rao & Wu 1988). Its draws therefore cover other patients and
    repeated training; the draws of a single run cover other patients only.

    Args:
        candidates: Candidates with aligned tables.
        resamples: Number of resamples B.
        seed: Seed of the resamples, which are those of `brain_tumor.evaluation.metrics.bootstrap.intervals`.

    Returns:
        One mapping per candidate: metric → values and draws, of the metrics that all its tables have.
    """
    tables = [table for candidate in candidates for table in candidate.tables]
    whole = np.ones((1, len(tables[0].labels)))
    values = [metric_values(table, whole) for table in tables]
    chunks: list[list[dict[str, Floats]]] = [[] for _ in tables]
    for weights in group_weights(tables[0].groups, resamples, seed):
        for of_table, table in progress(list(zip(chunks, tables, strict=True)), "Resampling"):
            of_table.append(metric_values(table, weights))
    draws = [{name: np.concatenate([chunk[name] for chunk in of_table]) for name in of_table[0]} for of_table in chunks]
    results, start = [], 0
    for number, candidate in enumerate(candidates):
        own = slice(start, start + len(candidate.tables))
        start = own.stop
        trials = _trials(candidate.tables[0])
        shares = _seed_shares(len(candidate.tables), resamples, np.random.default_rng([seed, number]))
        results.append(
            {
                name: Resampled(
                    np.concatenate([of_table[name] for of_table in values[own]]),
                    (np.stack([of_table[name] for of_table in draws[own]]) * shares).sum(axis=0),
                    trials.get(name, 0),
                    name in BIASED,
                )
                for name in _shared(values[own])
            }
        )
    return results


def _shared(values: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the metrics that all tables have: of a localizer's map, only a localizer's table has any."""
    return [name for name in values[0] if all(name in of_table for of_table in values)]


def _trials(table: Predictions) -> dict[str, int]:
    """Count the groups that are the trials of each metric in [0, 1]."""
    return {name: len(np.unique(table.groups[images])) for name, images in trial_images(table).items()}


def _seed_shares(seeds: int, resamples: int, rng: np.random.Generator) -> Floats:
    """Draw the weight of each seed in each resample, [S, B]; columns sum to 1."""
    if seeds == 1:
        return np.ones((1, resamples))
    return rng.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=resamples).T / (seeds - 1)


def difference(first: Resampled, second: Resampled, level: float) -> dict[str, Any]:
    """Compute the difference first − second, paired by resample.

    Returns:
        ``value``, ``ci_low`` and ``ci_high`` (percentiles), and the two-sided ``p``: twice the smaller share of
        resamples at or beyond 0, with 1 added to both counts so that it is never 0. None where undefined.
    """
    draws = first.draws - second.draws
    draws = draws[np.isfinite(draws)]
    p = None
    if len(draws):
        tail = min((draws <= 0).sum(), (draws >= 0).sum())
        p = min(2 * (float(tail) + 1) / (len(draws) + 1), 1.0)
    return {"value": _defined(first.value - second.value), **_percentiles(draws, level), "p": p}


def best_shares(metrics: Sequence[Resampled], *, lower_is_better: bool) -> list[float | None]:
    """Compute the share of resamples in which each candidate is best; ties share a resample.

    Args:
        metrics: One metric of each candidate.
        lower_is_better: Direction of the metric.

    Returns:
        Shares in [0, 1] that sum to 1; None for all where the metric is undefined in every resample.
    """
    draws = np.stack([one.draws for one in metrics]) * (-1 if lower_is_better else 1)
    draws = draws[:, np.isfinite(draws).all(axis=0)]
    if not draws.shape[1]:
        return [None] * len(metrics)
    best = np.isclose(draws, draws.max(axis=0), rtol=0, atol=1e-12)
    return [float(share) for share in (best / best.sum(axis=0)).mean(axis=1)]


def metrics_of(candidates: Sequence[Candidate]) -> list[str]:
    """Name the metrics that all candidates have, any of which can rank them."""
    tables = [table for candidate in candidates for table in candidate.tables]
    return _shared([metric_values(table, np.ones((1, len(table.labels)))) for table in tables])


def is_lower_better(metric: str) -> bool:
    """Tell whether lower values of a metric are better."""
    return metric in LOWER_IS_BETTER


def _percentiles(draws: Floats, level: float) -> dict[str, float | None]:
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return {"ci_low": None, "ci_high": None}
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return {"ci_low": float(low), "ci_high": float(high)}


def _defined(value: float) -> float | None:
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class Comparison:
    """Candidates, best first, with their resampled metrics."""

    metric: str
    """Name of the metric that ranks."""
    level: float
    """Coverage of all intervals, in (0, 1)."""
    resamples: int
    candidates: tuple[Candidate, ...]
    resampled: tuple[dict[str, Resampled], ...]
    """One mapping per candidate: metric → values and draws."""

    @property
    def ranked(self) -> list[Resampled]:
        """Ranking metric of each candidate."""
        return [one[self.metric] for one in self.resampled]

    def find(self, name: str) -> tuple[Candidate, dict[str, Resampled]]:
        """Find a candidate and its metrics by its name."""
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
        candidates: Candidates with aligned tables, as `brain_tumor.evaluation.comparison.candidates.make_candidates`
            returns them.
        metric: Name of the ranking metric, one of `brain_tumor.evaluation.metrics.all_metrics.metric_values`.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.
        level: Coverage of the intervals, in (0, 1).

    Raises:
        ConfigError: The metric is unknown.
    """
    known = metrics_of(candidates)
    require(metric in known, f"metric={metric}", ", ".join(known))
    resampled = resample(candidates, resamples, seed)
    values = np.array([one[metric].value for one in resampled])
    order = np.argsort(values if is_lower_better(metric) else -values, kind="stable")  # NaN comes last
    return Comparison(metric, level, resamples, tuple(candidates[i] for i in order), tuple(resampled[i] for i in order))
