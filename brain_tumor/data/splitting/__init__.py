"""Splits: each takes a samples table whose ``group`` is filled and returns it with ``split`` (and ``fold``) filled.

A group never stands on two sides of a split made here. What comes from outside, an official split or a file, is taken
as it is, and its leaks are counted by the audit, not hidden. An empty ``split`` in the result means: left out.
"""

from brain_tumor.data.splitting.auto import Auto
from brain_tumor.data.splitting.checks import check_classes, check_split
from brain_tumor.data.splitting.file import FromFile
from brain_tumor.data.splitting.folds import KFold
from brain_tumor.data.splitting.grouped import Grouped
from brain_tumor.data.splitting.holdout import Holdout
from brain_tumor.data.splitting.official import Official
from brain_tumor.data.splitting.official_clean import OfficialClean
from brain_tumor.data.splitting.sources import LeaveOneSourceOut

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
