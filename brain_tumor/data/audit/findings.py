"""``audit.json``: all that was found out about a data set, as plain numbers."""

import hashlib
import json
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.data.baseline import (
    BASELINE,
    MOST_QUERIES,
    asked,
    baseline_scores,
    cached_nearest,
    random_label_accuracy,
)
from brain_tumor.data.duplicates.leakage import leakage, random_split_leak
from brain_tumor.data.duplicates.pairs import COPIES, KINDS, PAIRS_VERSION, copy_clusters
from brain_tumor.data.loading import LoadedData
from brain_tumor.data.samples import data_digest
from brain_tumor.data.splits import KFold
from brain_tumor.errors import DataError
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.types import Rows

AUDIT_VERSION = 1
"""Part of every stored document's name: raise it when the same data would be judged otherwise."""


def audit_document(
    data: LoadedData, split: pd.DataFrame, *, name: str, split_name: str, seed: int = 0
) -> dict[str, Any]:
    """Put together what was found, or read what was found before in the very same data and split.

    Args:
        data: Loaded.
        split: Its samples with ``split`` filled: the split that is judged.
        name: Of the data.
        split_name: As on the command line.
        seed: Of what is drawn: folds, a random split, random labels.
    """
    asked = [AUDIT_VERSION, PAIRS_VERSION, name, split_name, seed, data.unreadable, data.curation]
    digest = hashlib.sha256((json.dumps(asked) + split.to_csv(index=False)).encode()).hexdigest()[:16]
    stored = data.entry / f"audit-{digest}.json" if data.entry else None
    if stored and stored.is_file():
        return dict(json.loads(stored.read_text(encoding="utf-8")))
    document = _find_out(data, split, name, split_name, seed)
    if stored is None:
        return document
    with suppress(OSError), published_file(stored) as draft:  # the cache may be read-only
        draft.write_text(json.dumps(document), encoding="utf-8")
    return document


def _find_out(data: LoadedData, split: pd.DataFrame, name: str, split_name: str, seed: int) -> dict[str, Any]:
    from brain_tumor.data.audit.shortcuts import shortcuts  # scikit-learn takes seconds to import

    samples, pairs = data.samples, data.pairs
    classes = sorted(set(samples["label"]))
    copies = pairs[pairs["kind"].isin(COPIES)]
    cluster = copy_clusters(samples, pairs)
    distinct = samples.assign(cluster=cluster).groupby("label")["cluster"].nunique()
    conflicts = label_conflicts(samples, pairs)
    return {
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
        "unreadable": data.unreadable,
        "pairs": {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}
        | {"mirrored": int(pairs["mirrored"].sum())},
        "label_conflicts": {"pairs": len(conflicts), "images": len(set(conflicts["left"]) | set(conflicts["right"]))},
        "patient_conflicts": _patient_conflicts(samples, copies),
        "split": {
            "name": split_name,
            "images": {side: int(n) for side, n in split["split"].replace("", "left out").value_counts().items()},
            "leakage": leakage(split, pairs),
        },
        "random_split": {"share_with_copy_in_training": random_split_leak(pairs, len(samples), seed=seed)},
        "baseline": {"name": BASELINE, "chance": 1 / len(classes), **_baselines(data, split, seed)},
        "shortcuts": shortcuts(samples, data.facts),
        "curation": data.curation,
    }


def label_conflicts(samples: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs that show the same image under two classes."""
    labels = samples["label"].to_numpy(object)
    conflicts: pd.DataFrame = pairs[pairs["kind"].isin(COPIES) & (labels[pairs["left"]] != labels[pairs["right"]])]
    return conflicts


def _patient_conflicts(samples: pd.DataFrame, copies: pd.DataFrame) -> dict[str, int]:
    """The same image under two patient ids."""
    patients = samples["patient_id"].to_numpy(object)
    one, other = patients[copies["left"]], patients[copies["right"]]
    wrong = copies[(one != "") & (other != "") & (one != other)]
    return {"pairs": len(wrong), "images": len(set(wrong["left"]) | set(wrong["right"]))}


def _baselines(data: LoadedData, split: pd.DataFrame, seed: int) -> dict[str, Any]:
    """What looking alike earns: on the split that is judged, and on folds that keep groups together."""
    sides = split["split"].to_numpy(object)
    known, queries = np.flatnonzero(np.isin(sides, ("train", "val"))), asked(np.flatnonzero(sides == "test"))
    judged = {"split": _baseline(data, [(known, queries)], seed)} if len(known) and len(queries) else {}
    fold = _folds(data.samples, seed)
    if fold is None:
        return judged
    folds = sorted(set(fold))
    rounds = [
        (np.flatnonzero(fold != one), asked(np.flatnonzero(fold == one), MOST_QUERIES // len(folds))) for one in folds
    ]
    return judged | {"leak_free_folds": _baseline(data, rounds, seed)}


def _baseline(data: LoadedData, rounds: list[tuple[Rows, Rows]], seed: int) -> dict[str, float]:
    queries = np.concatenate([few for _, few in rounds])
    found = np.concatenate([cached_nearest(data.entry, data.views, known, few) for known, few in rounds])
    labels, groups = data.samples["label"].to_numpy(str), data.samples["group"].to_numpy(str)
    return baseline_scores(labels, found, queries) | {
        "accuracy_with_random_labels": random_label_accuracy(groups, len(set(labels)), found, queries, seed)
    }


def _folds(samples: pd.DataFrame, seed: int) -> Any:
    """The folds that came with the data, else five drawn by group; None where there are too few groups for that."""
    try:
        return KFold(seed=seed)(samples)["fold"].to_numpy(str)
    except DataError:
        return None
