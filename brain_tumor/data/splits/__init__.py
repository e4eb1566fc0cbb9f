"""Splits: each takes a samples table whose ``group`` is filled and returns it with ``split`` (and ``fold``) filled.

A group never stands on two sides of a split made here. What comes from outside, an official split or a file, is taken
as it is, and its leaks are counted by the audit, not hidden. An empty ``split`` in the result means: left out.
"""

from brain_tumor.data.splits.checks import check_classes, check_split
from brain_tumor.data.splits.from_file import FromFile
from brain_tumor.data.splits.grouped import Grouped, KFold
from brain_tumor.data.splits.holdout import Holdout
from brain_tumor.data.splits.leave_one_source_out import LeaveOneSourceOut
from brain_tumor.data.splits.official import Auto, Official, OfficialClean

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
]
