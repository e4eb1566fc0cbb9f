"""Leakage: which images of one split, or of one data set, show a patient or an image of another one."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.data.duplicates.pairs import COPIES
from brain_tumor.data.samples import COLUMNS
from brain_tumor.errors import DataError
from brain_tumor.types import Flags

CROSSINGS = (("train", "val"), ("train", "test"), ("val", "test"), ("train or val", "test"))
"""Reference split, and the split whose scores are inflated by images that it shares with the reference."""
TRAINING_PREFIX = "seen in training: "
"""Start of the sample ids of training images in a table made by `join_training_images`."""


def leakage(samples: pd.DataFrame, pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Count, for each of `CROSSINGS` and each class, the images of a split that leak from its reference split.

    Args:
        samples: Samples table with ``split`` and ``group`` filled.
        pairs: Columns ``left, right, kind, mirrored, turned`` with rows of ``samples``.

    Returns:
        One row per crossing and class, and one for all classes (``class`` is empty). ``reference, split, class`` say
        what is counted, ``images`` is the number of images; of these ``exact`` have the same bytes as a reference
        image, ``pixels`` the same bytes or pixels, ``near_upright`` a duplicate that is neither mirrored nor turned,
        ``near`` any duplicate, ``patient`` the same patient, and ``group`` any of these or a slice of the same head.
    """
    rows = []
    for reference, split in CROSSINGS:
        is_reference = samples["split"].isin(reference.split(" or ")).to_numpy()
        marks = pd.DataFrame(_marks(samples, pairs, is_reference)).assign(label=samples["label"])
        marks = marks[(samples["split"] == split).to_numpy()]
        for label, of_class in [("", marks), *marks.groupby("label")]:
            counts = {name: int(of_class[name].sum()) for name in of_class.columns.drop("label")}
            rows.append({"reference": reference, "split": split, "class": label, "images": len(of_class), **counts})
    return rows


def leak_counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Number of images that share a group with another split: ``val_in_train, test_in_train, test_in_val``.

    Args:
        rows: Output of `leakage`.
    """
    return {f"{row['split']}_in_{row['reference']}": int(row["group"]) for row in _totals(rows)}


def require_no_leakage(rows: list[dict[str, Any]]) -> None:
    """Refuse a split that leaks.

    Args:
        rows: Output of `leakage`.

    Raises:
        DataError: An image shares a group with another split; the message gives the counts and the alternatives.
    """
    leaking = [row for row in _totals(rows) if row["group"]]
    if not leaking:
        return
    counts = "; ".join(
        f"{row['group']} of {row['images']} {row['split']} images show a patient or image of {row['reference']}"
        f" ({row['near']} are duplicates)"
        for row in leaking
    )
    raise DataError(
        f"This split leaks: {counts}. Its scores would be inflated. Use split=grouped, which keeps groups together, or "
        "split=official_clean, the published test set without its leaks; or accept them with split.allow_leakage=true: "
        "every result will then say so."
    )


def random_split_leak(pairs: pd.DataFrame, count: int, share: float = 0.2, seed: int = 0) -> float:
    """Share of held-out images that have a duplicate among the others, when images are held out at random.

    Args:
        pairs: Columns ``left, right, kind`` with rows below ``count``.
        count: Number of images.
        share: Probability of an image to be held out.
        seed: Seed of the random draw.
    """
    held_out = np.random.default_rng(seed).random(count) < share
    duplicated = _paired_with(pairs[pairs["kind"].isin(COPIES)], ~held_out)
    return float(duplicated[held_out].mean()) if held_out.any() else 0.0


def join_training_images(training: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Append the training images of a model to the samples that it is tested on, to search both for duplicates.

    Args:
        training: Samples that the model was trained or selected on.
        samples: Samples that the model is to be tested on.

    Returns:
        One samples table; the ids of training images start with `TRAINING_PREFIX`, and their patients, groups, folds
        and splits are empty, because ids of two data sets are unrelated. Patients that are filled later, by curated
        groups or by tracing, are pseudonyms of one public set and can be compared.
    """
    columns = list(COLUMNS)
    marked = training[columns].assign(
        sample_id=TRAINING_PREFIX + training["sample_id"], patient_id="", group="", fold="", split=""
    )
    return pd.concat([samples[columns], marked], ignore_index=True)


def is_training_image(samples: pd.DataFrame) -> Flags:
    """Whether each row of a table made by `join_training_images` is a training image."""
    return samples["sample_id"].str.startswith(TRAINING_PREFIX).to_numpy(bool)


def duplicates_training_image(samples: pd.DataFrame, pairs: pd.DataFrame) -> Flags:
    """Whether each row is a test image that duplicates a training image: same bytes, same pixels, or same slice.

    Args:
        samples: Table made by `join_training_images`, N rows.
        pairs: Pairs among its rows, see `brain_tumor.data.duplicates.pairs.image_pairs`.
    """
    training = is_training_image(samples)
    return _paired_with(pairs[pairs["kind"].isin(COPIES)], training) & ~training


def shows_training_patient(samples: pd.DataFrame) -> Flags:
    """Whether each row is a test image of a patient of a training image.

    Args:
        samples: Table made by `join_training_images`, with patients filled by curated groups and by tracing, N rows.
    """
    training, patients = is_training_image(samples), samples["patient_id"]
    known = set(patients[training]) - {""}
    return patients.isin(known).to_numpy(bool) & ~training


def same_files(samples: pd.DataFrame, digests: Collection[str]) -> Flags:
    """Whether the SHA-256 of each row's file is among ``digests``."""
    return samples["sha256"].isin(set(digests)).to_numpy(bool)


def _totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Select the rows for all classes whose reference is a single split."""
    return [row for row in rows if not row["class"] and " " not in row["reference"]]


def _marks(samples: pd.DataFrame, pairs: pd.DataFrame, is_reference: Flags) -> dict[str, Flags]:
    """Whether each image shares something with a reference image, for each way to share."""
    kinds, upright = pairs["kind"], ~(pairs["mirrored"] | pairs["turned"])
    chosen = {
        "exact": kinds == "exact",
        "pixels": kinds.isin(("exact", "pixels")),
        "near_upright": kinds.isin(COPIES) & upright,
        "near": kinds.isin(COPIES),
    }
    marks = {name: _paired_with(pairs[mask], is_reference) for name, mask in chosen.items()}
    for name, column in {"patient": "patient_id", "group": "group"}.items():
        values = samples[column]
        marks[name] = (values.isin(set(values[is_reference])) & (values != "")).to_numpy()
    return marks


def _paired_with(pairs: pd.DataFrame, reference: Flags) -> Flags:
    """Whether each row is in a pair with a reference row."""
    left, right = pairs["left"].to_numpy(np.int64), pairs["right"].to_numpy(np.int64)
    paired = np.zeros(len(reference), np.bool_)
    paired[right[reference[left]]] = True
    paired[left[reference[right]]] = True
    return paired
