"""From an adapter to samples that are decoded, counted and grouped: what every verb that needs data starts with."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.cache.store import CacheMode, cached_images
from brain_tumor.data.duplicates.pairs import COPIES, assign_groups, image_pairs
from brain_tumor.data.images import Chosen, Images
from brain_tumor.data.public.groups.filling import apply_groups
from brain_tumor.data.splits import check_classes
from brain_tumor.errors import DataError

OnError = Literal["stop", "skip"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedData:
    """Readable images, row by row the same in all tables and arrays."""

    samples: pd.DataFrame
    """The samples table with ``sha256`` and ``group`` filled; ``split`` and ``fold`` are still the data's own."""
    images: Images
    """uint8 [N, H, W]."""
    views: Images
    """Fingerprints, uint8 [N, VIEWS, SIDE, SIDE]."""
    facts: pd.DataFrame
    """How each file stores its image, see `brain_tumor.data.cache.decoding.Decoded`."""
    pairs: pd.DataFrame
    """``left, right, kind, similarity, mirrored``, see `brain_tumor.data.duplicates.pairs.image_pairs`."""
    unreadable: list[str]
    """What is wrong with the files that were left out."""
    entry: Path | None
    """Folder of the cache that belongs to these images, None if nothing is written."""
    curation: dict[str, Any] | None
    """Where groups came from that someone made before, see `brain_tumor.data.public.groups.filling.apply_groups`."""


def load(
    adapter: Callable[[], pd.DataFrame],
    *,
    cache_dir: Path,
    image_size: int,
    cache: CacheMode = "disk",
    cache_limit_gb: float | None = None,
    on_error: OnError = "stop",
    root: Path | None = None,
) -> LoadedData:
    """Read the catalog, decode what is not in the cache, and find out what belongs together.

    Args:
        adapter: Returns the samples table.
        cache_dir: Where decoded images, fingerprints and pairs are kept.
        image_size: Side of the decoded images in pixels.
        cache: What becomes of decoded images, see `brain_tumor.data.cache.store.cached_images`.
        cache_limit_gb: From how much on those used least recently go, None never.
        on_error: "stop" at unreadable images or "skip" them; they are named in the log either way.
        root: Folder of the data, where a ``groups.csv`` may lie.

    Raises:
        DataError: Whatever is wrong with the data, in one sentence.
    """
    found = adapter()
    decoded = cached_images(found["path"].tolist(), image_size, cache_dir, cache, cache_limit_gb)
    readable = (decoded.facts["error"] == "").to_numpy()
    unreadable = decoded.facts["error"][~readable].tolist()
    _refuse_or_tell(unreadable, len(found), on_error)
    samples = found.assign(sha256=decoded.facts["sha256"])[readable].reset_index(drop=True)
    check_classes(samples)
    samples, curation = apply_groups(samples, root)
    pairs = _among(image_pairs(decoded), readable)
    rows = np.flatnonzero(readable)
    return LoadedData(
        samples=assign_groups(samples, pairs),
        images=decoded.images if readable.all() else Chosen(decoded.images, rows),
        views=decoded.views if readable.all() else Chosen(decoded.views, rows),
        facts=decoded.facts[readable].reset_index(drop=True),
        pairs=pairs,
        unreadable=unreadable,
        entry=decoded.entry,
        curation={**curation, **_disagreement(samples, pairs)} if curation else None,
    )


def _refuse_or_tell(unreadable: list[str], found: int, on_error: OnError) -> None:
    if unreadable and on_error == "stop":
        raise DataError(
            f"{len(unreadable)} of {found} images cannot be read, first: {unreadable[0]} "
            "Mend or remove them, or leave them out with data.on_error=skip."
        )
    for error in unreadable:
        log.warning("Left out: %s", error)


def _disagreement(samples: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """Given groups are verified, not trusted: copies that they keep apart."""
    copies = pairs[pairs["kind"].isin(COPIES)]
    apart = {}
    for column in ("group", "fold"):
        one, other = (samples[column].to_numpy(object)[copies[side]] for side in ("left", "right"))
        wrong = copies[(one != "") & (other != "") & (one != other)]
        apart[f"copies_across_{column}s"] = len(set(wrong["left"]) | set(wrong["right"]))
    return apart


def _among(pairs: pd.DataFrame, readable: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Pairs by row among the readable images; unreadable ones are in no pair but the exact copies of each other."""
    place = np.where(readable, np.cumsum(readable) - 1, -1)
    left, right = place[pairs["left"].to_numpy(np.int64)], place[pairs["right"].to_numpy(np.int64)]
    kept = (left >= 0) & (right >= 0)
    among: pd.DataFrame = pairs.assign(left=left, right=right)[kept].reset_index(drop=True)
    return among
