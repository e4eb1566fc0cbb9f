"""Numbers as tables and pages show them."""

from collections.abc import Mapping


def show_estimate(found: Mapping[str, float | None]) -> str:
    """``0.953``, of several seeds ``0.953 ± 0.004``, or a dash where undefined."""
    if found["value"] is None:
        return "–"
    spread = f" ± {found['sd']:.3f}" if found["sd"] is not None else ""
    return f"{found['value']:.3f}{spread}"


def show_interval(found: Mapping[str, float | None]) -> str:
    """``[0.931, 0.970]``, or nothing where undefined."""
    if found["ci_low"] is None or found["ci_high"] is None:
        return ""
    return f"[{found['ci_low']:.3f}, {found['ci_high']:.3f}]"


def show_difference(found: Mapping[str, float | None] | None) -> str:
    """``−0.012 [−0.030, +0.004]``, or a dash where there is none."""
    if found is None or found["value"] is None or found["ci_low"] is None or found["ci_high"] is None:
        return "–"
    return f"{signed(found['value'])} [{signed(found['ci_low'])}, {signed(found['ci_high'])}]"


def signed(value: float) -> str:
    """``+0.012`` or ``−0.012`` with a true minus; what rounds to 0 has no sign."""
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def show_p(p: float | None) -> str:
    """``0.012``, ``<0.001``, or a dash where undefined."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def show_share(share: float | None) -> str:
    """``62 %``, or a dash where undefined."""
    return "–" if share is None else f"{share:.0%}".replace("%", " %")
