"""Training on a split that leaks is refused, unless it is asked for in so many words."""

from typing import Any

from brain_tumor.errors import DataError


def leak_counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """``val_in_train, test_in_train, test_in_val``: images that are known from another side by anything in common.

    Args:
        rows: From `brain_tumor.data.audit.leakage.leakage`.
    """
    return {f"{row['side']}_in_{row['known']}": int(row["group"]) for row in _sums(rows)}


def veto(rows: list[dict[str, Any]]) -> None:
    """Stop at a split that leaks.

    Args:
        rows: From `brain_tumor.data.audit.leakage.leakage`.

    Raises:
        DataError: With the counts and the ways out.
    """
    leaking = [row for row in _sums(rows) if row["group"]]
    if not leaking:
        return
    counts = "; ".join(
        f"{row['group']} of {row['images']} {row['side']} images show a patient or picture of {row['known']}"
        f" ({row['near']} are copies)"
        for row in leaking
    )
    raise DataError(
        f"This split leaks: {counts}. Its figures would be inflated. Take the leak-free split with split=grouped, "
        "the published test without what leaks with split=official_clean, or accept it with split.allow_leakage=true, "
        "which every result will say."
    )


def _sums(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Over all classes, side by side."""
    return [row for row in rows if not row["class"] and " " not in row["known"]]
