"""The table of pairs (same file, same pixels, same slice, same head), and the groups that follow from it."""

from contextlib import suppress
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.cache.store import ImageCache
from brain_tumor.data.duplicates.groups import components, linked_groups
from brain_tumor.data.duplicates.search import Images, Matches, match, measure
from brain_tumor.data.images import Images as Fingerprints
from brain_tumor.run_dir.atomic import hold_lock, published_file
from brain_tumor.types import Rows

PAIRS_VERSION = 1
"""Part of the stored table's name: raise it when the same fingerprints would yield other pairs."""
KINDS = ("exact", "pixels", "near", "related")
"""Same bytes, same pixels, same slice, slices of the same head: from the surest to the least."""
COPIES = KINDS[:3]
_LISTED = 200
"""Clusters of copies up to this size are listed pair by pair; of larger ones only the pairs that hold them together."""


def image_pairs(cache: ImageCache) -> pd.DataFrame:
    """Find the pairs among all images of a cache entry, or read those found before.

    Returns:
        One row per pair: ``left, right`` (rows of the cache, left < right), ``kind`` (one of `KINDS`), ``similarity``
        (correlation, up to 1), ``mirrored`` (bool), sorted.
    """
    if cache.entry is None:
        return find_pairs(cache.facts, cache.views)
    stored = cache.entry / f"pairs-{PAIRS_VERSION}.csv"
    if not stored.is_file():
        with hold_lock(cache.entry, "compares these images"):
            if not stored.is_file():
                pairs = find_pairs(cache.facts, cache.views)
                with suppress(OSError), published_file(stored) as draft:  # the cache may be read-only
                    pairs.to_csv(draft, index=False)
                return pairs
    return pd.read_csv(stored)


def find_pairs(facts: pd.DataFrame, views: Fingerprints) -> pd.DataFrame:
    """As `image_pairs`, from facts (``sha256, pixels``) and fingerprints [N, VIEWS, SIDE, SIDE]."""
    pixels, sha256 = (facts[name].to_numpy(object) for name in ("pixels", "sha256"))
    firsts = np.flatnonzero((pixels != "") & ~facts["pixels"].duplicated().to_numpy())
    images = Images(views, firsts)
    matches = match(images)
    first_of = dict(zip(pixels[firsts], range(len(firsts)), strict=True))
    shown = np.array([first_of.get(digest, -1) for digest in pixels], np.int64)
    copies = _copies(shown, matches, images)
    related = ~matches.near
    table = pd.concat(
        [
            copies,
            pd.DataFrame(
                {
                    "left": firsts[matches.left[related]],
                    "right": firsts[matches.right[related]],
                    "similarity": matches.similarity[related],
                    "mirrored": matches.orientation[related] > 0,
                    "kind": "related",
                }
            ),
        ],
        ignore_index=True,
    )
    left, right = table["left"].to_numpy(np.int64), table["right"].to_numpy(np.int64)
    table.loc[pixels[left] == pixels[right], "kind"] = "pixels"
    table.loc[sha256[left] == sha256[right], "kind"] = "exact"
    one, other = np.sort([left, right], axis=0)
    table = table.assign(left=one, right=other).drop_duplicates(["left", "right"])
    order = ["left", "right", "kind", "similarity", "mirrored"]
    return table.sort_values(["left", "right"], ignore_index=True)[order].round({"similarity": 4})


def _copies(shown: Rows, matches: Matches, images: Images) -> pd.DataFrame:
    """All pairs within clusters of near images, spelt out for every file that shows one of them."""
    near = matches.near
    cluster = components(len(images), matches.left[near], matches.right[near])
    found = list(zip(matches.left[near].tolist(), matches.right[near].tolist(), strict=True))
    files = pd.Series(np.flatnonzero(shown >= 0)).groupby(cluster[shown[shown >= 0]])
    pairs = [pair for _, members in files for pair in _listed(members.tolist(), shown, found)]
    one, other = np.array(pairs, np.int64).reshape(-1, 2).T
    left, right = np.sort([shown[one], shown[other]], axis=0)
    keys, place = np.unique(left * len(images) + right, return_inverse=True)
    left, right = np.divmod(keys, max(1, len(images)))
    similarity, mirrored = np.ones(len(keys), np.float32), np.zeros(len(keys), np.bool_)
    known = pd.Series(np.flatnonzero(near), matches.left[near] * len(images) + matches.right[near]).reindex(keys)
    direct, through = known.notna().to_numpy(), (known.isna().to_numpy() & (left != right))
    rows = known[direct].to_numpy(np.int64)
    similarity[direct], mirrored[direct] = matches.similarity[rows], matches.orientation[rows] > 0
    measured = measure(images, left[through], right[through])
    similarity[through], mirrored[through] = measured.similarity, measured.orientation > 0
    return pd.DataFrame(
        {"left": one, "right": other, "similarity": similarity[place], "mirrored": mirrored[place], "kind": "near"}
    )


def _listed(members: list[int], shown: Rows, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs of a cluster's files that are listed."""
    if len(members) <= _LISTED:
        return list(combinations(members, 2))
    first: dict[int, int] = {}
    for member in members:
        first.setdefault(int(shown[member]), member)
    same = [(first[int(shown[member])], member) for member in members if first[int(shown[member])] != member]
    return same + [(first[left], first[right]) for left, right in found if left in first and right in first]


def link(samples: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Fill ``group``: the same patient, the same given group, copies, and slices of the same head belong together.

    That two images look like slices of the same head says nothing where it is known that they are not: two patients,
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
    """Number the distinct images: copies and mirror images have the same number, int64 [N]."""
    copies = pairs[pairs["kind"].isin(COPIES)]
    return components(len(samples), copies["left"].to_numpy(np.int64), copies["right"].to_numpy(np.int64))


def distinct_images(samples: pd.DataFrame, pairs: pd.DataFrame) -> int:
    """How many images there are if copies and mirror images are counted once."""
    return int(copy_clusters(samples, pairs).max(initial=-1)) + 1
