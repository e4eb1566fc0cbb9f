"""Curated groups: whose images the public sets hold, and which of them are copies, known the moment a set is read.

What took the field years to notice ships with the package. Published splits of these sets put copies of one image,
and images of one patient, on both sides; `apply_groups` fills the samples table with the groups that must stay
together and, where a whole set is recognised, with leak-free folds.

How they were made:

- Near copies are images whose 64 × 64 grey thumbnails correlate ≥ 0.99 in one of four mirror orientations, or ≥ 0.98
  on the box around the head. On the 3,064 distinct slices of cheng this finds no false pair.
- Images that are near copies of a slice of cheng are of its patient (``cheng_patient_group``: ids with a trailing
  letter, as MR040240B, are the same patient's).
- ``leak_group`` links all images with a correlation ≥ 0.96 and all of one such patient. Group numbers are common to
  the sets, so that sets may be joined.
- ``fold5`` is scikit-learn's ``StratifiedGroupKFold(5)`` on ``leak_group`` within one set, seed 0. Folds of two sets do
  not agree, so joined sets get groups but no folds.

They over-group rather than under-group: two healthy people whose slices look alike may share a group. They are no
proof; ``brain-tumor audit`` verifies them.

The tables, one ``tables/SET.csv.xz`` per set and made by ``python -m brain_tumor.data.public.groups``, hold no image
and no address: only the first 16 hexadecimal digits of each original file's sha256, group, fold, and the pseudonyms
that cheng publishes (J. Cheng, figshare 1512427, CC BY 4.0). These 64 bits are different for all 11,882 files
(the chance of a collision was 4 in 10¹²); one of a million other images
is taken for one of them with a chance below 1 in 10⁹.

A ``groups.csv`` beside the data goes before the shipped tables; see `brain_tumor.data.public.groups.from_file`.

Importing this costs nothing; pandas comes when it is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def apply_groups(samples: "pd.DataFrame", root: str | Path | None = None) -> "tuple[pd.DataFrame, dict[str, Any]]":
    """Fill a samples table with the patients, groups and folds that are known; what is filled already stays.

    They come from a ``groups.csv`` beside the data or, where there is none, from the tables that ship.

    Args:
        samples: A samples table, ``sha256`` filled.
        root: Folder of the data, or the manifest; None looks for no ``groups.csv``.

    Returns:
        The table, as `brain_tumor.data.public.groups.filling.fill` says, and facts for ``run.json``: source, sets,
        matched, of, folds (0 where folds were not filled) and how; no facts if nothing is known.

    Raises:
        DataError: The ``groups.csv`` beside the data cannot be used.
    """
    from brain_tumor.data.public.groups.filling import apply

    return apply(samples, None if root is None else Path(root))
