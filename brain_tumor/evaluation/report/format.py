"""The results as a table in the terminal, and how figures are written everywhere."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from brain_tumor import CAUTION

HEADLINES = ("f1_macro", "accuracy", "balanced_accuracy", "auroc", "mcc", "ece")
DETECTION = ("detection/auroc", "detection/sensitivity", "detection/specificity")


def results_table(results: dict[str, Any]) -> Table:
    """Metrics of each split with 95 % intervals, and the baseline below macro-F1 if there is one.

    Args:
        results: The content of ``results.json``.
    """
    splits, n = splits_of(results), results["n"]
    groups = ", ".join(f"{n[split]['groups']} in {split}" for split in splits)
    table = Table(title=f"95 % intervals by group ({groups})", title_justify="left", caption=CAUTION)
    table.add_column("metric")
    for split in splits:
        table.add_column(f"{split} (n = {n[split]['images']})", justify="right")
    classes = [f"f1/{name}" for name in n["test"]["per_class"]]
    for metric in (*HEADLINES, *DETECTION, *classes):
        if metric in results["test"]:
            table.add_row(metric, *(format_estimate(results[split][metric]) for split in splits))
        if metric == HEADLINES[0] and "baseline" in results:
            baseline = (f"{results['baseline'][split]['f1_macro']:.3f}" + " " * 15 for split in splits)
            table.add_row("  1-NN baseline", *baseline, style="dim")
    return table


def splits_of(results: Mapping[str, Any]) -> list[str]:
    """The splits that were evaluated, ``val`` first."""
    return [split for split in ("val", "test") if split in results]


def format_estimate(estimate: Mapping[str, float | None]) -> str:
    """``0.953 [0.931, 0.970]``, or a dash where undefined."""
    if estimate["value"] is None:
        return "–"
    span = f" [{estimate['ci_low']:.3f}, {estimate['ci_high']:.3f}]" if estimate["ci_low"] is not None else ""
    return f"{estimate['value']:.3f}{span}"


def format_mean(found: Mapping[str, float | None]) -> str:
    """``0.953``, of several seeds ``0.953 ± 0.004``, or a dash where undefined."""
    if found["value"] is None:
        return "–"
    spread = f" ± {found['sd']:.3f}" if found["sd"] is not None else ""
    return f"{found['value']:.3f}{spread}"


def format_interval(found: Mapping[str, float | None]) -> str:
    """``[0.931, 0.970]``, or nothing where undefined."""
    if found["ci_low"] is None or found["ci_high"] is None:
        return ""
    return f"[{found['ci_low']:.3f}, {found['ci_high']:.3f}]"


def format_difference(found: Mapping[str, float | None] | None) -> str:
    """``−0.012 [−0.030, +0.004]``, or a dash where there is none."""
    if found is None or found["value"] is None or found["ci_low"] is None or found["ci_high"] is None:
        return "–"
    return f"{format_signed(found['value'])} [{format_signed(found['ci_low'])}, {format_signed(found['ci_high'])}]"


def format_signed(value: float) -> str:
    """``+0.012`` or ``−0.012`` with a true minus; what rounds to 0 has no sign."""
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def format_p(p: float | None) -> str:
    """``0.012``, ``<0.001``, or a dash where undefined."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def format_share(share: float | None) -> str:
    """``62 %``, or a dash where undefined."""
    return "–" if share is None else f"{share:.0%}".replace("%", " %")
