"""Compute the content of ``audit.json``: all findings about a data set, as plain numbers."""

import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.audit.verdict import verdict
from brain_tumor.data.baseline import (
    BASELINE,
    MAX_QUERIES,
    baseline_scores,
    cached_nearest,
    random_label_accuracy,
    sample_queries,
)
from brain_tumor.data.cache.results import stored_result
from brain_tumor.data.duplicates.conflicts import label_conflicts
from brain_tumor.data.duplicates.leakage import leakage, random_split_leak
from brain_tumor.data.duplicates.pairs import (
    COPIES,
    KINDS,
    PAIRS_VERSION,
    conflicting,
    copy_clusters,
)
from brain_tumor.data.listing import file_counts
from brain_tumor.data.loaded_data import LoadedData
from brain_tumor.data.public.groups.tracing import grouping_statement
from brain_tumor.data.samples import data_digest
from brain_tumor.data.splits import KFold
from brain_tumor.errors import DataError
from brain_tumor.types import Rows

AUDIT_VERSION = 6
"""Part of every stored document's name: raise it when the same data would give another document."""


def audit_document(
    data: LoadedData, split: pd.DataFrame, *, name: str, split_name: str, seed: int = 0, split_fault: str = ""
) -> dict[str, Any]:
    """Compute the findings, or read them where the same data and split were audited before.

    Args:
        data: Loaded data.
        split: Samples of the data with ``split`` filled by the split to audit.
        name: Name of the data set.
        split_name: Name of the split as on the command line.
        seed: Seed of folds, of the random split and of random labels.
        split_fault: Why the split could not be made; empty if it was.
    """
    inputs = [
        AUDIT_VERSION,
        PAIRS_VERSION,
        name,
        split_name,
        seed,
        split_fault,
        file_counts(data.files),
        data.unreadable,
        data.curation,
    ]
    digest = hashlib.sha256((json.dumps(inputs) + split.to_csv(index=False)).encode()).hexdigest()[:16]
    return stored_result(
        data.results,
        f"audit-{digest}.json",
        "audits these images",
        compute=lambda: _document(data, split, name, split_name, seed, split_fault),
        to_bytes=lambda document: json.dumps(document).encode(),
        from_bytes=lambda content: dict(json.loads(content)),
    )


def _document(
    data: LoadedData, split: pd.DataFrame, name: str, split_name: str, seed: int, split_fault: str
) -> dict[str, Any]:
    from brain_tumor.data.audit.shortcuts import shortcuts  # scikit-learn takes seconds to import

    samples, pairs = data.samples, data.pairs
    classes = sorted(set(samples["label"]))
    cluster = copy_clusters(samples, pairs)
    distinct = samples.assign(cluster=cluster).groupby("label")["cluster"].nunique()
    document: dict[str, Any] = {
        "name": name,
        "digest": data_digest(samples),
        "counts": {
            "found": len(samples) + len(data.unreadable),
            "readable": len(samples),
            "distinct_images": int(cluster.max()) + 1,
            "groups": samples["group"].nunique(),
            "patients": int((samples["patient_id"].drop_duplicates() != "").sum()),
        },
        "classes": {
            label: {"images": int((samples["label"] == label).sum()), "distinct_images": int(distinct[label])}
            for label in classes
        },
        "files": file_counts(data.files),
        "unreadable": data.unreadable,
        "blank": data.blank,
        "pairs": {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}
        | {name: int(pairs[name].sum()) for name in ("mirrored", "turned")},
        "label_conflicts": _count(label_conflicts(samples, pairs)),
        "patient_conflicts": _count(_conflicts(pairs, samples["patient_id"])),
        "split": {
            "name": split_name,
            "fault": split_fault,
            "images": {key: int(count) for key, count in split["split"].replace("", "left out").value_counts().items()},
            "leakage": leakage(split, pairs),
        },
        "random_split": {"share_with_copy_in_training": random_split_leak(pairs, len(samples), seed=seed)},
        "baseline": {"name": BASELINE, "chance": 1 / len(classes), **_baselines(data, split, seed)},
        "shortcuts": shortcuts(samples, data.facts),
        "grouping": grouping_statement(samples),
        "curation": data.curation,
    }
    return {"verdict": verdict(document), **document}


def _conflicts(pairs: pd.DataFrame, values: "pd.Series[str]") -> pd.DataFrame:
    conflicts: pd.DataFrame = pairs[pairs["kind"].isin(COPIES) & conflicting(pairs, values)]
    return conflicts


def _count(pairs: pd.DataFrame) -> dict[str, int]:
    return {"pairs": len(pairs), "images": len(set(pairs["left"]) | set(pairs["right"]))}


def _baselines(data: LoadedData, split: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Scores of the 1-NN baseline on the audited split, and on folds that keep groups together."""
    splits = split["split"].to_numpy(object)
    reference = np.flatnonzero(np.isin(splits, ("train", "val")))
    queries = sample_queries(np.flatnonzero(splits == "test"))
    scores: dict[str, Any] = {}
    if data.samples["label"].nunique() < 2:
        return scores  # nothing to tell apart
    if len(reference) and len(queries):
        scores["split"] = _baseline(data, [(reference, queries)], seed)
    fold = _folds(data.samples, seed)
    if fold is not None:
        numbers = sorted(set(fold))
        limit = MAX_QUERIES // len(numbers)
        rounds = [
            (np.flatnonzero(fold != number), sample_queries(np.flatnonzero(fold == number), limit))
            for number in numbers
        ]
        scores["leak_free_folds"] = _baseline(data, rounds, seed)
    return scores


def _baseline(data: LoadedData, rounds: list[tuple[Rows, Rows]], seed: int) -> dict[str, float]:
    """Scores over all rounds of (reference rows, query rows) together."""
    queries = np.concatenate([rows for _, rows in rounds])
    nearest = np.concatenate([cached_nearest(data.results, data.views, reference, rows) for reference, rows in rounds])
    labels, groups = data.samples["label"].to_numpy(str), data.samples["group"].to_numpy(str)
    return baseline_scores(labels, nearest, queries) | {
        "accuracy_with_random_labels": random_label_accuracy(groups, len(set(labels)), nearest, queries, seed)
    }


def _folds(samples: pd.DataFrame, seed: int) -> npt.NDArray[np.str_] | None:
    """The folds that came with the data, else five drawn by group; None where a class has too few groups."""
    try:
        return KFold(seed=seed)(samples)["fold"].to_numpy(str)
    except DataError:
        return None
