"""Label conflicts: one image under two classes."""

import logging
from typing import Literal

import numpy as np
import pandas as pd

from brain_tumor.data.duplicates.pairs import COPIES, conflicting
from brain_tumor.data.labels import HEALTHY
from brain_tumor.errors import DataError

LabelConflicts = Literal["stop", "keep", "leave_out"]
log = logging.getLogger(__name__)


def label_conflicts(samples: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Select the pairs of duplicates that have different labels.

    Slices of one known patient that merely resemble each other, one healthy, are none: one may show the tumour, the
    next not.
    """
    left, right = pairs["left"].to_numpy(np.int64), pairs["right"].to_numpy(np.int64)
    patient, healthy = samples["patient_id"].to_numpy(object), (samples["label"] == HEALTHY).to_numpy()
    same_patient = (patient[left] != "") & (patient[left] == patient[right])
    neighbours = (pairs["kind"] == "near").to_numpy() & same_patient & (healthy[left] | healthy[right])
    is_copy = pairs["kind"].isin(COPIES).to_numpy() & ~neighbours
    conflicts: pd.DataFrame = pairs[is_copy & conflicting(pairs, samples["label"])]
    return conflicts


def rows_to_leave_out(samples: pd.DataFrame, pairs: pd.DataFrame, policy: LabelConflicts) -> list[int]:
    """Return the rows that a training leaves out because their image appears under two classes; the log says so.

    Args:
        samples: Samples table.
        pairs: Columns ``left, right, kind`` with rows of ``samples``.
        policy: "stop" at such images, "keep" or "leave_out" them.

    Raises:
        DataError: There are such images, and the policy is to stop.
    """
    conflicts = label_conflicts(samples, pairs)
    rows = sorted({*conflicts["left"].tolist(), *conflicts["right"].tolist()})
    if not rows:
        return []
    names = samples["sample_id"]
    first = " and ".join(names.iloc[[conflicts["left"].iloc[0], conflicts["right"].iloc[0]]])
    what = f"{len(rows)} images appear under two classes, first {first}"
    if policy == "stop":
        raise DataError(
            f"{what}: correct their classes (brain-tumor audit shows all of them), or train all the same with "
            "data.label_conflicts=leave_out or keep."
        )
    log.warning("%s: %s.", what, "they are left out" if policy == "leave_out" else "they are kept, as published")
    return rows if policy == "leave_out" else []
