"""What is known of a samples table, row by row, and where that comes from."""

from dataclasses import dataclass

import pandas as pd

HOW = (
    "Near copies (64×64 grey thumbnails that correlate at least 0.99 in one of four mirror orientations, or 0.98 on "
    "the head's box) of Cheng's slices were traced to his patients, groups link pictures that correlate at least 0.96 "
    "or share a patient, and folds are StratifiedGroupKFold(5) on these groups, seed 0; they over-group rather than "
    "under-group."
)
"""How the shipped groups were made."""


@dataclass(frozen=True)
class Curation:
    """Patients, groups and folds."""

    rows: pd.DataFrame
    """Text columns ``patient_id, group, fold``, one row per sample with the samples' index; unknown = empty."""
    folds: int
    """How many folds there are; 0 where there are none, or none that agree."""
    source: str
    """Who says so."""
    sets: tuple[str, ...]
    """Public sets recognised; those that account for most rows first."""
    how: str
    """One sentence on how they were made."""

    @property
    def matched(self) -> int:
        """Rows of which anything is known."""
        return int((self.rows != "").any(axis=1).sum())
