"""Acceptance of a candidate in place of the champion: criteria, and what was measured of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brain_tumor.evaluation.comparison.ranking import estimate
from brain_tumor.evaluation.comparison.resampling import Comparison, Resampled, difference, is_lower_better
from brain_tumor.evaluation.report.format import format_difference, format_level
from brain_tumor.evaluation.report.headlines import DETECTION, HEADLINES, LOCALIZATION

Leaks = Mapping[str, int | None]
"""Candidate → leaking test images of its runs; None where they are unknown."""
Metrics = Mapping[str, Resampled]


@dataclass(frozen=True)
class AcceptanceCriteria:
    """Margins of the acceptance criteria; None leaves a criterion out."""

    f1_macro: float | None = 0.01
    """Non-inferiority margin of macro-F1: the interval of the difference must lie above its negative."""
    sensitivity: float | None = 0.02
    """Largest accepted loss of detection sensitivity; applies where there is a healthy class."""
    specificity: float | None = 0.02
    """Largest accepted loss of detection specificity; applies where there is a healthy class."""
    ece: float | None = 0.02
    """Largest accepted increase of the calibration error."""
    leakage: bool = True
    """Whether no more images may leak than with the champion; unknown leakage does not pass."""


def check_acceptance(
    comparison: Comparison, champion: str, criteria: AcceptanceCriteria, leaks: Leaks
) -> list[dict[str, Any]]:
    """Check each other candidate against the champion.

    Args:
        comparison: Comparison with the champion among its candidates.
        champion: Name of the champion.
        criteria: Margins.
        leaks: Leaking test images of every candidate.

    Returns:
        One entry per candidate: ``champion``, ``candidate``, ``passed`` (all criteria), ``criteria`` (``name rule found
        passed``) and ``metrics`` (name → ``champion``, ``candidate``, ``difference`` = candidate − champion).
    """
    _, champion_metrics = comparison.find(champion)
    changes = []
    for candidate, metrics in zip(comparison.candidates, comparison.resampled, strict=True):
        if candidate.name == champion:
            continue
        images = len(candidate.tables[0].labels)
        checked = [
            _criterion("test images", "the same", f"the same {images}", passed=True),  # else nothing was compared
            *_margins(metrics, champion_metrics, criteria, comparison.level),
            *_leakage(leaks[candidate.name], leaks[champion], criteria),
        ]
        changes.append(
            {
                "champion": champion,
                "candidate": candidate.name,
                "passed": all(criterion["passed"] for criterion in checked),
                "criteria": checked,
                "metrics": _side_by_side(metrics, champion_metrics, comparison.level),
            }
        )
    return changes


def _margins(candidate: Metrics, champion: Metrics, criteria: AcceptanceCriteria, level: float) -> list[dict[str, Any]]:
    """Check the margins: of macro-F1 against the end of the interval, of other metrics against the difference."""
    margins = {
        "macro-F1": ("f1_macro", criteria.f1_macro, "ci_low"),
        "detection sensitivity": ("detection/sensitivity", criteria.sensitivity, "value"),
        "detection specificity": ("detection/specificity", criteria.specificity, "value"),
        "ECE": ("ece", criteria.ece, "value"),
    }
    checked = []
    for name, (metric, margin, end) in margins.items():
        if margin is None or metric not in candidate:
            continue
        change = difference(candidate[metric], champion[metric], level)
        measured = "difference"
        if end == "ci_low":
            measured = f"lower end of the {format_level(level)} interval of the difference"
        lower_is_better = is_lower_better(metric)
        rule = f"{measured} ≤ {margin:g}" if lower_is_better else f"{measured} ≥ −{margin:g}"
        gain = change[end] if change[end] is None or not lower_is_better else -change[end]
        passed = gain is not None and gain >= -margin - 1e-12  # tolerates rounding; the undefined does not pass
        checked.append(_criterion(name, rule, format_difference(change), passed=passed))
    return checked


def _leakage(candidate: int | None, champion: int | None, criteria: AcceptanceCriteria) -> list[dict[str, Any]]:
    if not criteria.leakage:
        return []
    counts = ["unknown" if count is None else f"{count}" for count in (candidate, champion)]
    passed = candidate is not None and candidate <= (champion or 0)
    rule = "no more images than with the champion"
    return [_criterion("leakage", rule, f"{counts[0]}; champion: {counts[1]}", passed=passed)]


def _criterion(name: str, rule: str, found: str, *, passed: bool) -> dict[str, Any]:
    return {"name": name, "rule": rule, "found": found, "passed": passed}


def _side_by_side(candidate: Metrics, champion: Metrics, level: float) -> dict[str, Any]:
    return {
        name: {
            "champion": estimate(champion[name], level),
            "candidate": estimate(candidate[name], level),
            "difference": difference(candidate[name], champion[name], level),
        }
        for name in (*HEADLINES, *DETECTION, *LOCALIZATION)
        if name in candidate and name in champion
    }
