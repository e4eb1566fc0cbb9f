"""Are planted copies found among real images, and nothing else?"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from machine import decoded, groups_of, on_sets
from planting import TRANSFORMS, planted

from brain_tumor.data.duplicates.pairs import COPIES, copy_clusters, find_pairs
from brain_tumor.data.fingerprint import fingerprint
from brain_tumor.data.readers.reading import read_image

Views = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


def measure() -> dict[str, Any]:
    """Measure each public set that is at hand."""
    return on_sets(("nickparvar", "cheng", "preetviradiya"), measure_set)


def measure_set(root: Path, *, count: int = 500, alone: int = 1, seed: int = 0) -> dict[str, Any]:
    """Plant copies of ``count`` distinct images of a public set in it and look for them.

    Args:
        root: Folder of the set.
        count: Images that are copied, one of each ``dup99_group``.
        alone: Further searches, with one copy of each image only, so that none is found by way of another copy.
        seed: Of the choice.
    """
    groups = groups_of(root)
    cache = decoded(root, groups)
    distinct = np.flatnonzero(~groups["dup99_group"].duplicated())
    chosen = np.sort(np.random.default_rng(seed).permutation(distinct)[:count])
    with ThreadPoolExecutor(2) as pool:
        copies = np.stack(list(pool.map(_fingerprints, [str(root / groups["path"][row]) for row in chosen])))
    patients, images = groups["cheng_patient_group"].to_numpy(object), groups["dup99_group"].to_numpy(object)
    started = time.perf_counter()
    pairs, found = search(cache.facts, cache.views, copies, chosen, range(len(TRANSFORMS)))
    seconds = time.perf_counter() - started
    every = [np.concatenate([names, np.repeat(names[chosen], len(TRANSFORMS))]) for names in (patients, images)]
    native = pairs[pairs[["left", "right"]].max(axis=1) < len(groups)]
    return {
        "images": len(groups),
        "copied": len(chosen),
        "planted": found.size,
        "seconds": round(seconds, 1),
        "recall": dict(zip(TRANSFORMS, found.mean(axis=0).round(4).tolist(), strict=True)),
        "recall_overall": round(float(found.mean()), 4),
        "recall_alone": _alone(cache.facts, cache.views, copies, chosen, alone),
        "false_between_patients": {
            "set": false_pairs(native, patients),
            "set and copies": false_pairs(pairs, every[0]),
        },
        "near_between_dup99_groups": false_pairs(native, images)["near"],
    }


def _fingerprints(path: str) -> Views:
    return np.stack([fingerprint(copy) for copy in planted(read_image(path))])


def search(
    facts: pd.DataFrame, views: Views, copies: Views, chosen: Rows, columns: Sequence[int]
) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Look for pairs in one pool of images and copies [chosen, columns, …] of some of them.

    Returns:
        The pairs, and whether each copy is in the cluster of its original, bool [chosen, columns].
    """
    number = len(chosen) * len(columns)
    names = [f"copy {row} {column}" for row in chosen for column in columns]
    pool = pd.concat([facts[["sha256", "pixels"]], pd.DataFrame({"sha256": names, "pixels": names})], ignore_index=True)
    pairs = find_pairs(pool, np.concatenate([views, copies.reshape(number, *views.shape[1:])]))
    cluster = copy_clusters(pool, pairs)
    return pairs, cluster[len(facts) :].reshape(len(chosen), -1) == cluster[chosen][:, None]


def _alone(facts: pd.DataFrame, views: Views, copies: Views, chosen: Rows, rounds: int) -> dict[str, Any]:
    """Recall if each image has one copy only: another transform in each round."""
    hits = np.full((len(chosen), len(TRANSFORMS)), np.nan)
    rows = np.arange(len(chosen))
    for turn in range(min(rounds, len(TRANSFORMS))):
        column = (rows + turn) % len(TRANSFORMS)
        _, found = search(facts, views, copies[rows, column][:, None], chosen, [turn])
        hits[rows, column] = found[:, 0]
    if np.isnan(hits).all(axis=0).any():
        return {}
    by_transform = dict(zip(TRANSFORMS, np.nanmean(hits, axis=0).round(4).tolist(), strict=True))
    return {"planted": int((~np.isnan(hits)).sum()), "overall": round(float(np.nanmean(hits)), 4), **by_transform}


def false_pairs(pairs: pd.DataFrame, names: npt.NDArray[np.object_]) -> dict[str, dict[str, Any]]:
    """Pairs of images with different names (patients, say; empty ones are unknown) that are called near or related.

    Returns:
        For ``near`` (copies of any kind) and ``related``: pairs, their share of all pairs of different names, and the
        share of named images that are in one.
    """
    sizes = pd.Series(names[names != ""]).value_counts().to_numpy(np.int64)
    possible = (int(sizes.sum()) ** 2 - int((sizes**2).sum())) // 2
    one, other = names[pairs["left"].to_numpy(np.int64)], names[pairs["right"].to_numpy(np.int64)]
    wrong = pairs[(one != "") & (other != "") & (one != other)]
    result = {}
    for kind, mask in {"near": wrong["kind"].isin(COPIES), "related": wrong["kind"] == "related"}.items():
        images = len(set(wrong[mask]["left"]) | set(wrong[mask]["right"]))
        result[kind] = {
            "pairs": int(mask.sum()),
            "possible": possible,
            "share_of_pairs": int(mask.sum()) / max(1, possible),
            "share_of_pictures": images / max(1, int(sizes.sum())),
        }
    return result


def tell(found: dict[str, Any]) -> None:
    """Print what was found in each set, against what is asked for."""
    for name, one in found.items():
        print(f"  {name}, {one['images']} images")
        _tell_set(one)


def _tell_set(found: dict[str, Any]) -> None:
    alone = found["recall_alone"]
    print(
        f"    found of {found['planted']} copies: {found['recall_overall']:.2%} (asked: ≥ 98 %), {found['seconds']} s"
    )
    print(f"    found of {alone['planted']}, one copy of each image: {alone['overall']:.2%}")
    for name, recall in found["recall"].items():
        print(f"      {name:<22}{recall:8.2%}{alone[name]:10.2%}")
    for pool, kinds in found["false_between_patients"].items():
        for kind, wrong in kinds.items():
            print(f"    {kind} between known patients, {pool}: {_share(wrong)}{' (asked: ≤ 0.1 %)' * (kind == 'near')}")
    print(f"    near between dup99 groups: {_share(found['near_between_dup99_groups'])}")


def _share(wrong: dict[str, Any]) -> str:
    pairs = f"{wrong['pairs']} of {wrong['possible']} pairs ({wrong['share_of_pairs']:.1e})"
    return f"{pairs}, {wrong['share_of_pictures']:.3%} of images"
