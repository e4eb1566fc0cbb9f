"""From pairs of pictures to the groups that must stand on one side of a split."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.audit.pairs import COPIES
from brain_tumor.data.grouping import components, linked_groups


def link(samples: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Fill ``group``: the same patient, the same given group, copies, and slices of the same head belong together.

    That two pictures look like slices of the same head says nothing where it is known that they are not: two patients,
    or two groups that someone gave, are linked by copies alone.

    Args:
        samples: With whatever ``patient_id`` and ``group`` are known.
        pairs: ``left, right, kind`` with rows of ``samples``.
    """
    left, right = pairs["left"].to_numpy(np.int64), pairs["right"].to_numpy(np.int64)
    copies = pairs["kind"].isin(COPIES).to_numpy()
    known_apart = np.zeros(len(pairs), np.bool_)
    for column in ("patient_id", "group"):
        one, other = samples[column].to_numpy(object)[left], samples[column].to_numpy(object)[right]
        known_apart |= (one != "") & (other != "") & (one != other)
    linked = copies | ~known_apart
    groups = linked_groups(samples["group"], samples["patient_id"], links=(left[linked], right[linked]))
    return samples.assign(group=groups.astype(str))


def copy_clusters(samples: pd.DataFrame, pairs: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Number the distinct pictures: copies and mirror images have the same number, int64 [N]."""
    copies = pairs[pairs["kind"].isin(COPIES)]
    return components(len(samples), copies["left"].to_numpy(np.int64), copies["right"].to_numpy(np.int64))


def distinct_pictures(samples: pd.DataFrame, pairs: pd.DataFrame) -> int:
    """How many pictures there are if copies and mirror images are counted once."""
    return int(copy_clusters(samples, pairs).max(initial=-1)) + 1
