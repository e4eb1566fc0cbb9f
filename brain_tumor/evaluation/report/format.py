"""Numbers as text, in the one notation of terminal, pages, checklists and model card."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

UNDEFINED = "–"
"""Text of a value that is undefined."""
_LONG_NAME = 24
"""Characters of a name that still fits into a column."""
Estimate = Mapping[str, float | None]
"""``value``, ``ci_low``, ``ci_high`` and, for a mean over seeds, ``sd``."""


def format_number(value: float | None, digits: int = 3) -> str:
    """``0.953``, or a dash where undefined (None or NaN)."""
    return UNDEFINED if value is None or math.isnan(value) else f"{value:.{digits}f}"


def format_interval(estimate: Estimate) -> str:
    """``[0.931, 0.970]``, or nothing where undefined."""
    low, high = estimate["ci_low"], estimate["ci_high"]
    return "" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"


def format_estimate(estimate: Estimate) -> str:
    """``0.953 [0.931, 0.970]``, or a dash where undefined."""
    if estimate["value"] is None:
        return UNDEFINED
    return f"{estimate['value']:.3f} {format_interval(estimate)}".rstrip()


def format_mean(estimate: Estimate) -> str:
    """``0.953``, for several seeds ``0.953 ± 0.004``, or a dash where undefined."""
    if estimate["value"] is None:
        return UNDEFINED
    spread = f" ± {estimate['sd']:.3f}" if estimate["sd"] is not None else ""
    return f"{estimate['value']:.3f}{spread}"


def format_difference(estimate: Estimate | None) -> str:
    """``−0.012 [−0.030, +0.004]``, or a dash where there is none."""
    if estimate is None:
        return UNDEFINED
    value, low, high = estimate["value"], estimate["ci_low"], estimate["ci_high"]
    if value is None or low is None or high is None:
        return UNDEFINED
    return f"{format_signed(value)} [{format_signed(low)}, {format_signed(high)}]"


def format_signed(value: float) -> str:
    """``+0.012`` or ``−0.012`` with a true minus sign; a value that rounds to 0 has no sign."""
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def format_p(p: float | None) -> str:
    """``0.012``, ``<0.001``, or a dash where undefined."""
    if p is None:
        return UNDEFINED
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def format_share(share: float | None, digits: int = 0) -> str:
    """``62 %``, with one digit ``62.5 %``, or a dash where undefined."""
    return UNDEFINED if share is None else f"{100 * share:.{digits}f} %"


def format_level(level: float) -> str:
    """``95 %`` or ``97.5 %``: a chosen share, with the digits that it was given."""
    return f"{100 * level:g} %"


def format_setting(text: str) -> str:
    """Shorten a swept value: long numbers, as a search draws them, get four digits; other text stays."""
    try:
        return f"{float(text):.4g}" if len(text) > 8 else text
    except ValueError:
        return text


def differing_parts(names: Sequence[str]) -> dict[str, str]:
    """Abbreviate long names to what differs: name → name without the words at both ends that all of them share.

    Names that are all short, or that would become equal or empty, stay as they are.

    Args:
        names: Values of a setting, or candidates.
    """
    unique = list(dict.fromkeys(names))
    words = [re.findall(r"[^-_./,: ]+|[-_./,: ]+", name) for name in unique]
    if len(unique) < 2 or max(map(len, unique)) <= _LONG_NAME:
        return {name: name for name in unique}
    start = _shared(words)
    end = _shared([each[start:][::-1] for each in words])
    short = ["".join(each[start : len(each) - end]).strip("-_./,: ") for each in words]
    return dict(zip(unique, short if all(short) and len(set(short)) == len(short) else unique, strict=True))


def _shared(words: Sequence[Sequence[str]]) -> int:
    """Count the first words that all lists share."""
    differs = (len(set(column)) > 1 for column in zip(*words, strict=False))
    return next((n for n, different in enumerate(differs) if different), min(map(len, words)))


def format_fact(value: Any) -> str:
    """Flatten an entry of ``run.json`` into one line: mappings, lists, numbers and text."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{name.replace('_', ' ')}: {format_fact(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
