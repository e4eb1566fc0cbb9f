"""The tables that ship with the package, and what they know of a samples table."""

import functools
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor import __version__

HOW = (
    "Near copies (64×64 grey thumbnails that correlate at least 0.99 in one of four mirror orientations, or 0.98 on "
    "the head's box) of Cheng's slices were traced to his patients, groups link images that correlate at least 0.96 "
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


SUFFIX = ".csv.xz"
KEY, GROUP, FOLD, PATIENT = "sha256_16", "leak_group", "fold5", "cheng_patient_group"
COLUMNS = (KEY, GROUP, FOLD, PATIENT)
"""Of a table, all text; ``sha256_16`` are the first 16 digits, an unknown patient is empty."""
DIGITS = 16

_TABLES = resources.files("brain_tumor.data.public.groups") / "tables"


def names() -> tuple[str, ...]:
    """Sets that have a table, sorted."""
    return tuple(sorted(file.name.removesuffix(SUFFIX) for file in _TABLES.iterdir() if file.name.endswith(SUFFIX)))


@functools.cache
def table(name: str) -> pd.DataFrame:
    """The table of a set, with `COLUMNS`; read only, since it is read from disk once."""
    packed = (_TABLES / f"{name}{SUFFIX}").read_bytes()
    return pd.read_csv(io.BytesIO(packed), compression="xz", dtype=str, keep_default_na=False)


def curated(samples: pd.DataFrame) -> Curation | None:
    """What the shipped tables know of these samples.

    A file is known by its ``sha256``, whatever its name. Where its bytes are not known (figshare's ``.mat`` files of
    cheng are not the files that were hashed), a row whose ``source`` is a set and whose ``patient_id`` is one of that
    set's gets the patient's group. Rows that are not known stay empty.

    Sets share files, so as few sets as possible are said to be recognised: first the one that knows most rows, then
    others only for rows that are left. ``fold`` is that of the set if one alone was recognised, else empty.

    Args:
        samples: A samples table, ``sha256`` filled.

    Returns:
        None if no row is known.
    """
    known = {name: _known(table(name), samples, name) for name in names()}
    hits = {name: (rows["group"] != "").to_numpy(np.bool_) for name, rows in known.items()}
    sets = _recognised(hits, samples["source"].to_numpy())
    if not sets:
        return None
    rows, done = known[sets[0]].copy(), hits[sets[0]]
    for name in sets[1:]:
        rows.loc[~done] = known[name].loc[~done]
        done = done | hits[name]
    if len(sets) > 1:
        rows["fold"] = ""
    folds = table(sets[0])[FOLD].nunique() if len(sets) == 1 else 0
    return Curation(rows, folds, f"shipped with brain-tumor {__version__}", sets, HOW)


def _known(known: pd.DataFrame, samples: pd.DataFrame, name: str) -> pd.DataFrame:
    """Patient, group and fold of each sample by its bytes, else by its patient."""
    rows = known.set_index(KEY).reindex(samples["sha256"].str[:DIGITS])
    patients = known[known[PATIENT] != ""].drop_duplicates(PATIENT).set_index(PATIENT, drop=False)
    told = samples["patient_id"].where(samples["source"] == name, "")
    by_patient = patients.reindex(told)
    return pd.DataFrame(
        {
            column: np.where(rows[GROUP].isna(), by_patient[written].fillna(""), rows[written].fillna(""))
            for column, written in (("patient_id", PATIENT), ("group", GROUP), ("fold", FOLD))
        },
        index=samples.index,
    )


def _recognised(hits: Mapping[str, npt.NDArray[np.bool_]], sources: npt.NDArray[np.object_]) -> tuple[str, ...]:
    """As few sets as account for all rows that any of them knows; of equals that which the samples name as source."""
    sets: list[str] = []
    left = np.any(list(hits.values()), axis=0)
    while left.any():
        best = max(hits, key=lambda name: (int((hits[name] & left).sum()), int((sources == name).sum())))
        sets.append(best)
        left = left & ~hits[best]
    return tuple(sets)
