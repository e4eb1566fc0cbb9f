"""Fill a samples table with what is known of it; what its user filled stays."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.data.duplicates.groups import linked_groups
from brain_tumor.data.public.groups.from_file import beside
from brain_tumor.data.public.groups.shipped import Curation, curated

PREFIX = "curated-"
"""Of every group filled here, lest it be taken for one of the user's own."""
log = logging.getLogger(__name__)


def apply(samples: pd.DataFrame, root: Path | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """As `brain_tumor.data.public.groups.apply_groups`."""
    found = beside(samples, root) if root else None
    found = found or curated(samples)
    if found is None:
        return samples, {}
    filled, obstacle = fill(samples, found)
    log.info(
        "Groups of %d of %d images are known, %s%s",
        found.matched,
        len(samples),
        found.source,
        f" ({', '.join(found.sets)})" if found.sets else "",
    )
    if obstacle:
        log.info("Its folds are not used: %s", obstacle)
    facts = {
        "source": found.source,
        "sets": list(found.sets),
        "matched": found.matched,
        "of": len(samples),
        "folds": 0 if obstacle else found.folds,
        "how": found.how,
    }
    return filled, facts


def fill(samples: pd.DataFrame, found: Curation) -> tuple[pd.DataFrame, str]:
    """Fill ``patient_id`` and ``group`` where they are empty, and ``fold`` where it can be used.

    Patients keep the public set's pseudonyms, which ``data=cheng`` gives as well; they are worth having even for a part
    of the images, since two known patients are known to differ. Groups get a prefix, patients none.

    Folds are filled for all images or for none. They are filled if the column is empty, the fold of every image is
    known, every one of the folds (3 at least) has an image, and no group or patient of the filled table, the user's
    own included, stands in two folds.

    Returns:
        The table, and why folds were not filled; empty if they were.
    """
    patient, group = samples["patient_id"], samples["group"]
    prefixed = (PREFIX + found.rows["group"]).where(found.rows["group"] != "", "")
    filled = samples.assign(
        patient_id=patient.where(patient != "", found.rows["patient_id"]),
        group=group.where(group != "", prefixed),
    )
    obstacle = _obstacle(filled, found)
    return (filled if obstacle else filled.assign(fold=found.rows["fold"])), obstacle


def _obstacle(filled: pd.DataFrame, found: Curation) -> str:
    fold = found.rows["fold"]
    unknown = int((fold == "").sum())
    if (filled["fold"] != "").any():
        return "the data have folds of their own."
    if found.folds == 0:
        return "there are none, or those of several sets that do not agree."
    if unknown:
        return f"the fold of {unknown} of {len(fold)} images is not known."
    if found.folds < 3 or fold.nunique() < found.folds:
        return f"{fold.nunique()} of {found.folds} folds have images; all must, and 3 at least."
    groups = linked_groups(filled["group"], filled["patient_id"])
    if fold.groupby(groups).nunique().max() > 1:
        return "groups or patients that the data name themselves stand in several of them."
    return ""
