"""From loaded data to those of a training: labels, splits, what is left out, and the check for leakage."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from brain_tumor.data.duplicates.conflicts import LabelConflicts, rows_to_leave_out
from brain_tumor.data.duplicates.leakage import leakage, require_no_leakage
from brain_tumor.data.duplicates.pairs import further_copies
from brain_tumor.data.labels import random_labels as with_random_labels
from brain_tumor.data.listing import describe_split
from brain_tumor.data.loaded_data import LoadedData
from brain_tumor.data.splits import check_classes, check_split
from brain_tumor.types import Rows

Split = Callable[[pd.DataFrame], pd.DataFrame]
"""Function that fills the column ``split`` of a samples table with ``group``."""
Copies = Literal["all", "one"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitRules:
    """How the images of a training are chosen and split; the arguments of the data module of these names."""

    split: Split
    label_conflicts: LabelConflicts = "stop"
    copies: Copies = "all"
    allow_leakage: bool = False
    random_labels: bool = False
    seed: int = 0


@dataclass(frozen=True)
class SplitData:
    """Data with their splits; the attributes of the data module of these names."""

    samples: pd.DataFrame
    published_splits: frozenset[str]
    classes: tuple[str, ...]
    labels: Rows
    leakage: list[dict[str, Any]]
    counts: dict[str, int]


def split_data(data: LoadedData, rules: SplitRules) -> SplitData:
    """Split loaded data, leave out what the rules say, and check the split for leakage.

    Raises:
        DataError: The data cannot be used; the message is one sentence.
    """
    check_classes(data.samples)
    conflicting = [] if rules.random_labels else rows_to_leave_out(data.samples, data.pairs, rules.label_conflicts)
    listed = with_random_labels(data.samples, rules.seed) if rules.random_labels else data.samples
    samples = rules.split(listed)
    samples.loc[conflicting, "split"] = ""
    if rules.copies == "one":
        train = np.flatnonzero(samples["split"] == "train").astype(np.int64)
        further = further_copies(data.pairs, train)
        samples.loc[further, "split"] = ""
        log.info("%d of %d training images are copies of others: left out (data.copies=one).", len(further), len(train))
    check_split(samples)
    leaks = leakage(samples, data.pairs)
    if not rules.allow_leakage:
        require_no_leakage(leaks)
    classes = tuple(sorted(set(samples["label"])))
    counts = data.counts(samples["split"])
    log.info("%s", describe_split(counts, len(classes)))
    return SplitData(
        samples=samples,
        published_splits=frozenset(listed["split"]),
        classes=classes,
        labels=samples["label"].map(classes.index).to_numpy(np.int64),
        leakage=leaks,
        counts=counts,
    )
