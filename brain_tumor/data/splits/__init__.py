"""Splits: each takes a samples table whose ``group`` is filled and returns it with ``split`` (and ``fold``) filled.

A split made here never puts one group into two of train, val and test. An official split or a split from a file is
taken unchanged; leakage is counted and refused elsewhere. An image with an empty ``split`` is left out.
"""

from brain_tumor.data.splits.class_checks import check_classes, check_split
from brain_tumor.data.splits.from_file import FromFile
from brain_tumor.data.splits.grouped import Grouped, KFold
from brain_tumor.data.splits.holdout import Holdout
from brain_tumor.data.splits.leave_one_source_out import LeaveOneSourceOut
from brain_tumor.data.splits.official import Auto, Official, OfficialClean
from brain_tumor.data.splits.tuning import without_test

__all__ = [
    "Auto",
    "FromFile",
    "Grouped",
    "Holdout",
    "KFold",
    "LeaveOneSourceOut",
    "Official",
    "OfficialClean",
    "check_classes",
    "check_split",
    "without_test",
]
