"""The table of pairs of images (same file, same pixels, same slice, same head), and the groups that follow from it."""

import io
from itertools import combinations

import numpy as np
import pandas as pd

from brain_tumor.data.cache.results import stored_result
from brain_tumor.data.cache.store import ImageCache
from brain_tumor.data.duplicates.groups import components, linked_groups
from brain_tumor.data.duplicates.search import Fingerprints, Matches, find_matches, measure_pairs
from brain_tumor.data.fingerprint import TURNED
from brain_tumor.data.images import Images
from brain_tumor.types import Flags, Rows

PAIRS_VERSION = 2
"""Part of the stored table's name: raise it when the same fingerprints would give other pairs."""
KINDS = ("exact", "pixels", "near", "related")
"""Kinds of pairs, the strongest first: same bytes, same pixels, same slice, slices of the same head."""
COPIES = KINDS[:3]
"""Kinds of pairs that are duplicates or near-duplicates."""
_MAX_LISTED = 200
"""Largest cluster of duplicates of which every pair is listed; of larger ones only the pairs that connect it are."""


def image_pairs(cache: ImageCache) -> pd.DataFrame:
    """Find the pairs among all images of a cache, or read them where they were stored before, for any image size.

    Returns:
        One row per pair, sorted: ``left, right`` (rows of the cache, left < right), ``kind`` (one of `KINDS`),
        ``similarity`` (correlation, up to 1), ``mirrored`` and ``turned`` (by a quarter, bool).
    """
    return stored_result(
        cache.results,
        f"pairs-{PAIRS_VERSION}.csv",
        "compares these images",
        compute=lambda: find_pairs(cache.facts, cache.views),
        to_bytes=lambda pairs: pairs.to_csv(index=False).encode(),
        from_bytes=lambda content: pd.read_csv(io.BytesIO(content)),
    )


def find_pairs(facts: pd.DataFrame, views: Images) -> pd.DataFrame:
    """Find the pairs among images.

    Args:
        facts: Digests of each file, columns ``sha256`` and ``pixels`` (empty where the image is blank or unreadable).
        views: Fingerprints of each file, uint8 [N, VIEWS, SIDE, SIDE].

    Returns:
        The table that `image_pairs` describes.
    """
    pixels, sha256 = (facts[name].to_numpy(object) for name in ("pixels", "sha256"))
    first_files = np.flatnonzero((pixels != "") & ~facts["pixels"].duplicated().to_numpy())
    images = Fingerprints(views, first_files)
    matches = find_matches(images)
    numbers = dict(zip(pixels[first_files], range(len(first_files)), strict=True))
    image_of_file = np.array([numbers.get(digest, -1) for digest in pixels], np.int64)
    related = ~matches.near
    table = pd.concat(
        [
            _duplicates(image_of_file, matches, images),
            pd.DataFrame(
                {
                    "left": first_files[matches.left[related]],
                    "right": first_files[matches.right[related]],
                    "similarity": matches.similarity[related],
                    "orientation": matches.orientation[related],
                    "kind": "related",
                }
            ),
        ],
        ignore_index=True,
    )
    left, right = table["left"].to_numpy(np.int64), table["right"].to_numpy(np.int64)
    table.loc[pixels[left] == pixels[right], "kind"] = "pixels"
    table.loc[sha256[left] == sha256[right], "kind"] = "exact"
    low, high = np.sort([left, right], axis=0)
    table = table.assign(left=low, right=high).drop_duplicates(["left", "right"])
    table["turned"] = table["orientation"] >= TURNED[0]
    table["mirrored"] = (table["orientation"] > 0) & ~table["turned"]
    columns = ["left", "right", "kind", "similarity", "mirrored", "turned"]
    return table.sort_values(["left", "right"], ignore_index=True)[columns].round({"similarity": 4})


def _duplicates(image_of_file: Rows, matches: Matches, images: Fingerprints) -> pd.DataFrame:
    """List the pairs of files within each cluster of near images, with their similarity.

    Args:
        image_of_file: Number of the distinct image in each file, -1 for none, int64 [M].
        matches: Pairs of distinct images that were found.
        images: Fingerprints of the distinct images.
    """
    near = np.flatnonzero(matches.near)
    near_left, near_right = matches.left[near], matches.right[near]
    cluster = components(len(images), near_left, near_right)
    links = list(zip(near_left.tolist(), near_right.tolist(), strict=True))
    files = pd.Series(np.flatnonzero(image_of_file >= 0)).groupby(cluster[image_of_file[image_of_file >= 0]])
    pairs = [pair for _, members in files for pair in _listed(members.tolist(), image_of_file, links)]
    file_left, file_right = np.array(pairs, np.int64).reshape(-1, 2).T
    left, right = np.sort([image_of_file[file_left], image_of_file[file_right]], axis=0)
    keys, key_of_pair = np.unique(left * len(images) + right, return_inverse=True)
    left, right = np.divmod(keys, max(1, len(images)))
    similarity, orientation = np.ones(len(keys), np.float32), np.zeros(len(keys), np.int64)
    match_of_key = pd.Series(near, near_left * len(images) + near_right).reindex(keys)
    matched = match_of_key.notna().to_numpy()
    rows = match_of_key[matched].to_numpy(np.int64)
    similarity[matched], orientation[matched] = matches.similarity[rows], matches.orientation[rows]
    indirect = ~matched & (left != right)  # connected by other images of the cluster only
    measured = measure_pairs(images, left[indirect], right[indirect])
    similarity[indirect], orientation[indirect] = measured.similarity, measured.orientation
    return pd.DataFrame(
        {
            "left": file_left,
            "right": file_right,
            "similarity": similarity[key_of_pair],
            "orientation": orientation[key_of_pair],
            "kind": "near",
        }
    )


def _listed(files: list[int], image_of_file: Rows, links: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Select the pairs of a cluster's files that are listed.

    Args:
        files: Rows of the files in the cluster.
        image_of_file: Number of the distinct image in each file.
        links: Near pairs of distinct images, also of other clusters.
    """
    if len(files) <= _MAX_LISTED:
        return list(combinations(files, 2))
    first: dict[int, int] = {}
    for file in files:
        first.setdefault(int(image_of_file[file]), file)
    same = [(first[int(image_of_file[file])], file) for file in files if first[int(image_of_file[file])] != file]
    return same + [(first[left], first[right]) for left, right in links if left in first and right in first]


def assign_groups(samples: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Fill ``group``: images of one patient, one given group, one slice or one head belong together.

    Slices that merely look like the same head are not linked where two patients or two given groups are named for
    them; duplicates are linked in any case.

    Args:
        samples: Samples table; ``patient_id`` and ``group`` may be empty.
        pairs: Columns ``left, right, kind`` with rows of ``samples``.
    """
    conflict = conflicting(pairs, samples["patient_id"]) | conflicting(pairs, samples["group"])
    linked = pairs[pairs["kind"].isin(COPIES).to_numpy() | ~conflict]
    links = (linked["left"].to_numpy(np.int64), linked["right"].to_numpy(np.int64))
    groups = linked_groups(samples["group"], samples["patient_id"], links=links)
    return samples.assign(group=groups.astype(str))


def conflicting(pairs: pd.DataFrame, values: "pd.Series[str]") -> Flags:
    """Whether the two images of each pair have different values of a column; an empty value never differs.

    Args:
        pairs: Columns ``left, right`` with rows of ``values``.
        values: Column of a samples table.
    """
    left, right = (values.to_numpy(object)[pairs[end].to_numpy(np.int64)] for end in ("left", "right"))
    return np.asarray((left != "") & (right != "") & (left != right), np.bool_)


def copy_clusters(samples: pd.DataFrame, pairs: pd.DataFrame) -> Rows:
    """Number the distinct images: duplicates, also mirrored ones, have the same number, int64 [N]."""
    copies = pairs[pairs["kind"].isin(COPIES)]
    return components(len(samples), copies["left"].to_numpy(np.int64), copies["right"].to_numpy(np.int64))


def further_copies(pairs: pd.DataFrame, rows: Rows) -> Rows:
    """Return those of some rows that are copies of an earlier one of them, directly or through others, int64.

    Args:
        pairs: Pairs of `image_pairs`.
        rows: Rows, int64 [K], ascending.
    """
    left, right = (pairs[end][pairs["kind"].isin(COPIES)].to_numpy(np.int64) for end in ("left", "right"))
    among = np.isin(left, rows) & np.isin(right, rows)
    clusters = components(len(rows), np.searchsorted(rows, left[among]), np.searchsorted(rows, right[among]))
    return np.asarray(np.delete(rows, np.unique(clusters, return_index=True)[1]))


def distinct_images(samples: pd.DataFrame, pairs: pd.DataFrame) -> int:
    """Count the images, duplicates and mirrored duplicates once."""
    return int(copy_clusters(samples, pairs).max(initial=-1)) + 1
