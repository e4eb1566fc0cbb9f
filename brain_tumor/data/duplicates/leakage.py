"""How much of one split stands in another, image by image and class by class; a split that leaks is refused."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.duplicates.pairs import COPIES
from brain_tumor.errors import DataError

Mask = npt.NDArray[np.bool_]

CROSSINGS = (("train", "val"), ("train", "test"), ("val", "test"), ("train or val", "test"))
"""What is known → the side whose result is inflated by it."""


def leakage(samples: pd.DataFrame, pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Count, for each crossing and class, the images of the one side that are known from the other.

    Args:
        samples: With ``split`` and ``group`` filled.
        pairs: ``left, right, kind, mirrored`` with rows of ``samples``.

    Returns:
        One row per crossing and class, and one for all classes (``class`` is empty): ``known, side, class, images`` and
        of these the numbers with the same bytes (``exact``), the same pixels or bytes (``pixels``), a copy that is not
        mirrored (``near_upright``), any copy (``near``), the same patient (``patient``), anything at all in common
        (``group``).
    """
    rows = []
    for known, side in CROSSINGS:
        known_rows = samples["split"].isin(known.split(" or ")).to_numpy()
        asked = (samples["split"] == side).to_numpy()
        counted = pd.DataFrame(_marks(samples, pairs, known_rows)).assign(label=samples["label"])[asked]
        for name, part in [("", counted), *counted.groupby("label")]:
            marks = {mark: int(part[mark].sum()) for mark in part.columns.drop("label")}
            rows.append({"known": known, "side": side, "class": name, "images": len(part), **marks})
    return rows


def _marks(samples: pd.DataFrame, pairs: pd.DataFrame, known: Mask) -> dict[str, Mask]:
    kinds, upright = pairs["kind"], ~pairs["mirrored"]
    chosen = {
        "exact": kinds == "exact",
        "pixels": kinds.isin(("exact", "pixels")),
        "near_upright": kinds.isin(COPIES) & upright,
        "near": kinds.isin(COPIES),
    }
    marks = {name: _reached(pairs[mask], known) for name, mask in chosen.items()}
    for name, column in {"patient": "patient_id", "group": "group"}.items():
        values = samples[column]
        marks[name] = (values.isin(set(values[known])) & (values != "")).to_numpy()
    return marks


def _reached(pairs: pd.DataFrame, known: Mask) -> Mask:
    """Rows that are in a pair with one that is known."""
    left, right = pairs["left"].to_numpy(np.int64), pairs["right"].to_numpy(np.int64)
    reached = np.zeros(len(known), np.bool_)
    reached[right[known[left]]] = True
    reached[left[known[right]]] = True
    return reached


def random_split_leak(pairs: pd.DataFrame, count: int, share: float = 0.2, seed: int = 0) -> float:
    """Share of a randomly drawn part of ``count`` images that has a copy in the rest: what splitting by image leaks."""
    held_out = np.random.default_rng(seed).random(count) < share
    copied = _reached(pairs[pairs["kind"].isin(COPIES)], ~held_out)
    return float(copied[held_out].mean()) if held_out.any() else 0.0


def leak_counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """``val_in_train, test_in_train, test_in_val``: images that are known from another side by anything in common.

    Args:
        rows: From `brain_tumor.data.duplicates.leakage.leakage`.
    """
    return {f"{row['side']}_in_{row['known']}": int(row["group"]) for row in _sums(rows)}


def veto(rows: list[dict[str, Any]]) -> None:
    """Stop at a split that leaks.

    Args:
        rows: From `brain_tumor.data.duplicates.leakage.leakage`.

    Raises:
        DataError: With the counts and the ways out.
    """
    leaking = [row for row in _sums(rows) if row["group"]]
    if not leaking:
        return
    counts = "; ".join(
        f"{row['group']} of {row['images']} {row['side']} images show a patient or image of {row['known']}"
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
