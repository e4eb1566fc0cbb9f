"""Fill a samples table with curated patients, groups and folds; values of the user stay."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.data.duplicates.groups import linked_groups
from brain_tumor.data.public.groups.from_file import curation_from_file
from brain_tumor.data.public.groups.shipped import Curation, shipped_curation

PREFIX = "curated-"
"""Start of every group that is filled here, so that it differs from the groups of the user."""
log = logging.getLogger(__name__)


def apply_groups(samples: pd.DataFrame, root: str | Path | None = None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fill a samples table with the patients, groups and folds that are known.

    They are read from a ``groups.csv`` in the data folder or, where there is none, from the shipped tables.

    Args:
        samples: Samples table with ``sha256`` filled.
        root: Folder of the data, or the manifest; None reads no ``groups.csv``.

    Returns:
        The table that `fill` returns, and facts for ``run.json``: ``source, sets, matched, of, folds`` (0 where folds
        were not filled) ``, how``; no facts if no image is known.

    Raises:
        DataError: The ``groups.csv`` in the data folder is invalid.
    """
    curation = None if root is None else curation_from_file(samples, Path(root))
    if curation is None:
        curation = shipped_curation(samples)
    if curation is None:
        return samples, {}
    filled, obstacle = fill(samples, curation)
    sets = f" ({', '.join(curation.sets)})" if curation.sets else ""
    log.info("Curated groups: %d of %d images, from %s%s", curation.matched, len(samples), curation.source, sets)
    if obstacle:
        log.info("Curated folds are not used: %s", obstacle)
    facts = {
        "source": curation.source,
        "sets": list(curation.sets),
        "matched": curation.matched,
        "of": len(samples),
        "folds": 0 if obstacle else curation.fold_count,
        "how": curation.how,
    }
    return filled, facts


def fill(samples: pd.DataFrame, curation: Curation) -> tuple[pd.DataFrame, str]:
    """Fill ``patient_id`` and ``group`` where they are empty, and ``fold`` where that is possible.

    Patients keep the pseudonyms of the public set, which ``data=cheng`` uses as well; they help even where only some
    are known, since two known patients are different people. Groups get a prefix, patients do not.

    Folds are filled for all images or for none. They are filled if the column is empty, the fold of every image is
    known, there are at least 3 folds, each with an image, and no group or patient of the filled table is in two folds.

    Args:
        samples: Samples table.
        curation: Known patients, groups and folds of the samples.

    Returns:
        The filled table, and the reason why folds were not filled; empty if they were.
    """
    patient, group = samples["patient_id"], samples["group"]
    prefixed = (PREFIX + curation.rows["group"]).where(curation.rows["group"] != "", "")
    filled = samples.assign(
        patient_id=patient.where(patient != "", curation.rows["patient_id"]),
        group=group.where(group != "", prefixed),
    )
    obstacle = _obstacle(filled, curation)
    return (filled if obstacle else filled.assign(fold=curation.rows["fold"])), obstacle


def _obstacle(filled: pd.DataFrame, curation: Curation) -> str:
    fold, count = curation.rows["fold"], curation.fold_count
    unknown = int((fold == "").sum())
    if (filled["fold"] != "").any():
        return "the data have their own folds."
    if count == 0:
        return "there are none, or the images are of several sets, whose folds do not agree."
    if unknown:
        return f"the fold of {unknown} of {len(fold)} images is unknown."
    if count < 3 or fold.nunique() < count:
        return f"{fold.nunique()} of {count} folds have images: expected all, and at least 3."
    groups = linked_groups(filled["group"], filled["patient_id"])
    if fold.groupby(groups).nunique().max() > 1:
        return "a group or patient of the data is in several folds."
    return ""
