"""Which images of one set stand in another one: an external test needs images that a model has never seen."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.duplicates.pairs import COPIES
from brain_tumor.data.samples import COLUMNS

KNOWN = "seen in training: "
"""Prefix of the sample ids of images that a model knows."""


def together(known: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """One samples table of both sets, in which the images that a model knows carry `KNOWN` and no group.

    Args:
        known: Samples that a model was trained or chosen on.
        found: The samples that it is to be tested on.
    """
    columns = list(COLUMNS)
    marked = known[columns].assign(sample_id=KNOWN + known["sample_id"], patient_id="", group="", fold="", split="")
    return pd.concat([found[columns], marked], ignore_index=True)


def is_known(samples: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Rows of a table made by `together` that the model knows."""
    return samples["sample_id"].str.startswith(KNOWN).to_numpy(bool)


def copies_of_known(samples: pd.DataFrame, pairs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Rows that are not known themselves, but show what a known one shows: same bytes, same pixels, or the same slice.

    Args:
        samples: Made by `together`, N rows.
        pairs: Among its rows, see `brain_tumor.data.duplicates.pairs.image_pairs`.
    """
    known = is_known(samples)
    copies = pairs[pairs["kind"].isin(COPIES)]
    seen = np.zeros(len(samples), bool)
    for one, other in (("left", "right"), ("right", "left")):
        rows = copies[one].to_numpy(np.int64)
        seen[rows[known[copies[other].to_numpy(np.int64)]]] = True
    return seen & ~known


def same_files(samples: pd.DataFrame, digests: Collection[str]) -> npt.NDArray[np.bool_]:
    """Rows whose file's SHA-256 is among some."""
    return samples["sha256"].isin(set(digests)).to_numpy(bool)
