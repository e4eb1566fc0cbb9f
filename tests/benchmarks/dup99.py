"""Clusters of copies against ``dup99_group`` of the public sets, and against the figures of EVIDENCE.md."""

from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from machine import decoded, groups_of, on_sets

from brain_tumor.data.duplicates.leakage import leakage
from brain_tumor.data.duplicates.pairs import COPIES, copy_clusters, find_pairs

EVIDENCE = {
    "nickparvar": {"distinct": 3615, "exact": 103, "pixels": 216, "near_upright": 480, "near": 992},
    "preetviradiya": {"distinct": 1640},
}
"""Of the original files; what is below BRAIN_TUMOR_SHARED was re-encoded, so bytes and pixels are other ones."""


def measure() -> dict[str, Any]:
    """Measure each public set that is at hand."""
    return on_sets(("nickparvar", "preetviradiya"), measure_set)


def measure_set(root: Path) -> dict[str, Any]:
    """Audit a public set and judge its clusters of copies."""
    groups = groups_of(root)
    cache = decoded(root, groups)
    pairs = find_pairs(cache.facts, cache.views)
    cluster, told = copy_clusters(groups, pairs), pd.factorize(groups["dup99_group"])[0]
    result = {
        "images": len(groups),
        "pairs": {str(kind): int(count) for kind, count in pairs["kind"].value_counts().items()},
        "distinct": int(cluster.max()) + 1,
        "distinct_by_dup99": int(told.max()) + 1,
        **agreement(cluster, told),
        "beyond_dup99": _beyond(groups, pairs),
        "evidence": EVIDENCE.get(root.name, {}),
    }
    if (groups["published_split"] == "test").any():
        samples = pd.DataFrame({"split": groups["published_split"], "patient_id": "", "group": cluster.astype(str)})
        rows = leakage(samples.assign(label=groups["class"]), pairs)
        test = next(row for row in rows if (row["reference"], row["split"], row["class"]) == ("train", "test", ""))
        result["test_in_train"] = {key: test[key] for key in ("images", "exact", "pixels", "near_upright", "near")}
        train = set(told[groups["published_split"] == "train"])
        result["test_in_train"]["by_dup99"] = int(np.isin(told[groups["published_split"] == "test"], list(train)).sum())
    return result


def agreement(found: npt.NDArray[np.int64], told: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Pairs within found clusters against pairs within those that are told."""
    both = pd.DataFrame({"found": found, "told": told})
    inside, of_found, of_told = (
        sum(comb(size, 2) for size in both.groupby(columns).size()) for columns in (["found", "told"], "found", "told")
    )
    return {
        "pairs_told": of_told,
        "pairs_found": of_found,
        "pair_recall": round(inside / max(1, of_told), 4),
        "pair_precision": round(inside / max(1, of_found), 4),
        "told_clusters_split": _mixed(both["told"], both["found"]),
        "found_clusters_merging": _mixed(both["found"], both["told"]),
    }


def _beyond(groups: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """What speaks for and against copies of two ``dup99_group``s."""
    columns = {name: groups[name].to_numpy(object) for name in ("dup99_group", "leak_group", "cheng_id")}
    copies = pairs[pairs["kind"].isin(COPIES)]
    sides = [{name: values[copies[side]] for name, values in columns.items()} for side in ("left", "right")]
    new = sides[0]["dup99_group"] != sides[1]["dup99_group"]
    traced = (sides[0]["cheng_id"] != "") & (sides[1]["cheng_id"] != "")
    same = {name: sides[0][name] == sides[1][name] for name in columns}
    return {
        "pairs": int(new.sum()),
        "correlating_0.99_at_least": int((new & (copies["similarity"].to_numpy() >= 0.99)).sum()),
        "of_one_leak_group": int((new & same["leak_group"]).sum()),
        "of_one_cheng_slice": int((new & traced & same["cheng_id"]).sum()),
        "of_two_cheng_slices": int((new & traced & ~same["cheng_id"]).sum()),
    }


def _mixed(outer: "pd.Series[int]", inner: "pd.Series[int]") -> int:
    """Clusters of the one kind that hold images of several of the other."""
    return int((inner.groupby(outer).agg(np.ptp) > 0).sum())


def tell(found: dict[str, Any]) -> None:
    """Print what was found in each set, against what is asked for."""
    for name, one in found.items():
        print(f"  {name}, {one['images']} images")
        _tell_set(one)


def _tell_set(found: dict[str, Any]) -> None:
    for name, value in found.items():
        print(f"    {name}: {value}")
