"""May a candidate replace the champion? Acceptance criteria, and ``change_record.md``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from brain_tumor import CAUTION
from brain_tumor.evaluation.comparison.ranking import estimate
from brain_tumor.evaluation.comparison.resampling import Comparison, Resampled, difference, is_lower_better
from brain_tumor.evaluation.report.format import (
    DETECTION,
    HEADLINES,
    format_difference,
    format_interval,
    format_mean,
    format_p,
)

Leaks = Mapping[str, int | None]
"""Candidate → images that its runs knew from another side of the split; None where nobody looked."""
Metrics = Mapping[str, Resampled]


@dataclass(frozen=True)
class Rules:
    """Margins of the criteria; None leaves a criterion out."""

    f1_macro: float | None = 0.01
    """The interval of the difference must lie above minus this: non-inferiority."""
    sensitivity: float | None = 0.02
    """Detection may miss this much more; asked only where there is a healthy class."""
    ece: float | None = 0.02
    """The calibration error may be this much larger."""
    leakage: bool = True
    """No more images may leak than with the champion; not knowing is not passing."""


def changes(comparison: Comparison, champion: str, rules: Rules, leaks: Leaks) -> list[dict[str, Any]]:
    """Each other candidate against the champion.

    Returns:
        One entry a candidate: ``champion``, ``candidate``, ``passed`` (all criteria), ``criteria`` (``name rule found
        passed``) and ``metrics`` (name → ``champion``, ``candidate``, ``difference`` = candidate − champion).
    """
    _, holds = comparison.of(champion)
    found = []
    for candidate, tried in zip(comparison.candidates, comparison.resampled, strict=True):
        if candidate.name == champion:
            continue
        images = len(candidate.tables[0].labels)
        criteria = [
            _criterion("test images", "the same", f"the same {images}", passed=True),  # else nothing was compared
            *_margins(tried, holds, rules, comparison.level),
            *_leakage(leaks[candidate.name], leaks[champion], rules),
        ]
        found.append(
            {
                "champion": champion,
                "candidate": candidate.name,
                "passed": all(criterion["passed"] for criterion in criteria),
                "criteria": criteria,
                "metrics": _side_by_side(tried, holds, comparison.level),
            }
        )
    return found


def _margins(tried: Metrics, holds: Metrics, rules: Rules, level: float) -> list[dict[str, Any]]:
    """What may be lost: of macro-F1 as far as the interval reaches, of the others as measured."""
    asked = {
        "macro-F1": ("f1_macro", rules.f1_macro, "ci_low"),
        "detection sensitivity": ("detection/sensitivity", rules.sensitivity, "value"),
        "ECE": ("ece", rules.ece, "value"),
    }
    criteria = []
    for name, (metric, margin, end) in asked.items():
        if margin is None or metric not in tried:
            continue
        change = difference(tried[metric], holds[metric], level)
        what = "difference" if end == "value" else f"lower end of the {100 * level:g} % interval of the difference"
        rule = f"{what} ≤ {margin:g}" if is_lower_better(metric) else f"{what} ≥ −{margin:g}"
        gain = change[end] if change[end] is None or not is_lower_better(metric) else -change[end]
        passed = gain is not None and gain >= -margin - 1e-12  # not beyond rounding; the undefined does not pass
        criteria.append(_criterion(name, rule, format_difference(change), passed=passed))
    return criteria


def _leakage(tried: int | None, holds: int | None, rules: Rules) -> list[dict[str, Any]]:
    if not rules.leakage:
        return []
    shown = ("not known" if count is None else f"{count}" for count in (tried, holds))
    found = "{}; champion: {}".format(*shown)
    passed = tried is not None and tried <= (holds or 0)
    return [_criterion("leakage", "no more images than with the champion", found, passed=passed)]


def _criterion(name: str, rule: str, found: str, *, passed: bool) -> dict[str, Any]:
    return {"name": name, "rule": rule, "found": found, "passed": passed}


def _side_by_side(tried: Metrics, holds: Metrics, level: float) -> dict[str, Any]:
    return {
        name: {
            "champion": estimate(holds[name], level),
            "candidate": estimate(tried[name], level),
            "difference": difference(tried[name], holds[name], level),
        }
        for name in (*HEADLINES, *DETECTION)
        if name in tried
    }


def change_record(
    document: Mapping[str, Any], changes: Sequence[Mapping[str, Any]], facts: Mapping[str, Mapping[str, str]]
) -> str:
    """The record as Markdown.

    Args:
        document: Of `brain_tumor.evaluation.comparison.ranking.comparison_document`.
        changes: Of `brain_tumor.evaluation.comparison.acceptance.changes`.
        facts: Run → name → value: commit, data, seed and so on, as far as they are known.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.evaluation.comparison", "."),
        autoescape=False,  # noqa: S701, Markdown
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("change_record.md.j2").render(
        caution=CAUTION,
        document=document,
        changes=changes,
        runs={candidate["name"]: candidate["runs"] for candidate in document["candidates"]},
        facts=facts,
        format_difference=format_difference,
        format_mean=format_mean,
        format_interval=format_interval,
        format_p=format_p,
    )
