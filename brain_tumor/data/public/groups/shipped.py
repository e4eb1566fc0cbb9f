"""The tables of curated groups that ship with the package, and the lookup of samples in them."""

import functools
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor import __version__
from brain_tumor.types import Flags

HOW = (
    "Near-duplicates of Cheng's slices (64×64 grey thumbnails that correlate at least 0.99 in one of four mirror "
    "orientations, or 0.98 on the box around the head) were assigned to his patients; groups link images that "
    "correlate at least 0.96 or share a patient; folds are StratifiedGroupKFold(5) on these groups, seed 0. The groups "
    "are rather too large than too small."
)
"""How the shipped groups were made."""
SUFFIX = ".csv.xz"
KEY, GROUP, FOLD, PATIENT = "sha256_16", "leak_group", "fold5", "cheng_patient_group"
COLUMNS = (KEY, GROUP, FOLD, PATIENT)
"""Columns of a table, all text, unknown = empty; ``sha256_16`` is the start of the sha256."""
DIGITS = 16
"""Number of digits of the sha256 that identify a file."""

_TABLES = resources.files("brain_tumor.data.public.groups") / "tables"


@dataclass(frozen=True)
class Curation:
    """Patients, groups and folds of samples, and their origin."""

    rows: pd.DataFrame
    """Text columns ``patient_id, group, fold``, one row per sample with the index of the samples; unknown = empty."""
    fold_count: int
    """Number of folds; 0 where there are none, or where those of several sets do not agree."""
    source: str
    """Origin of the rows: the shipped tables, or a ``groups.csv``."""
    sets: tuple[str, ...]
    """Names of the recognised public sets, those with most images first."""
    how: str
    """Description of how the groups were made."""

    @property
    def matched(self) -> int:
        """Number of samples with a patient, group or fold."""
        return int((self.rows != "").any(axis=1).sum())


def names() -> tuple[str, ...]:
    """Names of the sets that have a table, sorted."""
    return tuple(sorted(file.name.removesuffix(SUFFIX) for file in _TABLES.iterdir() if file.name.endswith(SUFFIX)))


@functools.cache
def table(name: str) -> pd.DataFrame:
    """Read the table of a set, with `COLUMNS`; the result is cached and must not be changed."""
    packed = (_TABLES / f"{name}{SUFFIX}").read_bytes()
    return pd.read_csv(io.BytesIO(packed), compression="xz", dtype=str, keep_default_na=False)


def shipped_curation(samples: pd.DataFrame) -> Curation | None:
    """Look up samples in the shipped tables.

    A file is identified by its ``sha256``, whatever its name. Where the hash is unknown (figshare's ``.mat`` files of
    cheng are not the files that were hashed), a sample whose ``source`` is a set and whose ``patient_id`` is one of
    that set gets the group of the patient. Samples that are not found stay empty.

    Sets share files, so the smallest number of sets is recognised: first the one that matches most samples, then others
    only for samples that remain. ``fold`` is filled if only one set is recognised, else empty.

    Args:
        samples: Samples table with ``sha256`` filled.

    Returns:
        Patients, groups and folds of the samples; None if no sample is found.
    """
    rows_by_set = {name: _look_up(table(name), samples, name) for name in names()}
    matches = {name: (rows["group"] != "").to_numpy(np.bool_) for name, rows in rows_by_set.items()}
    sets = _recognised_sets(matches, samples["source"].to_numpy())
    if not sets:
        return None
    rows, filled = rows_by_set[sets[0]].copy(), matches[sets[0]]
    for name in sets[1:]:
        rows.loc[~filled] = rows_by_set[name].loc[~filled]
        filled = filled | matches[name]
    if len(sets) > 1:
        rows["fold"] = ""
    fold_count = table(sets[0])[FOLD].nunique() if len(sets) == 1 else 0
    return Curation(rows, fold_count, f"shipped with brain-tumor {__version__}", sets, HOW)


def _look_up(groups: pd.DataFrame, samples: pd.DataFrame, name: str) -> pd.DataFrame:
    """Find patient, group and fold of each sample by its hash, else by its patient.

    Args:
        groups: Table of the set.
        samples: Samples table.
        name: Name of the set.
    """
    by_hash = groups.set_index(KEY).reindex(samples["sha256"].str[:DIGITS])
    patients = groups[groups[PATIENT] != ""].drop_duplicates(PATIENT).set_index(PATIENT, drop=False)
    by_patient = patients.reindex(samples["patient_id"].where(samples["source"] == name, ""))
    return pd.DataFrame(
        {
            column: np.where(by_hash[GROUP].isna(), by_patient[source].fillna(""), by_hash[source].fillna(""))
            for column, source in (("patient_id", PATIENT), ("group", GROUP), ("fold", FOLD))
        },
        index=samples.index,
    )


def _recognised_sets(matches: Mapping[str, Flags], sources: npt.NDArray[np.object_]) -> tuple[str, ...]:
    """Choose few sets that cover all samples that any set matches.

    Args:
        matches: Name of the set → whether it has each sample.
        sources: Source of each sample; of sets with equally many matches the one that is named most is chosen.
    """
    sets: list[str] = []
    remaining = np.any(list(matches.values()), axis=0)
    while remaining.any():
        best = max(matches, key=lambda name: (int((matches[name] & remaining).sum()), int((sources == name).sum())))
        sets.append(best)
        remaining = remaining & ~matches[best]
    return tuple(sets)
