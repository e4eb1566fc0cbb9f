"""Load a data set for any verb: list the samples, decode them, find copies, and group what belongs together."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.cache.store import CacheMode, ImageCache, cached_images
from brain_tumor.data.corrections import correct
from brain_tumor.data.duplicates.pairs import COPIES, assign_groups, distinct_images, image_pairs
from brain_tumor.data.fingerprint import WHOLE
from brain_tumor.data.images import ImageRows, Images
from brain_tumor.data.lent_masks import lend_masks, list_lender
from brain_tumor.data.listing import Listing, account, describe_counts, file_counts
from brain_tumor.data.public.groups.filling import apply_groups
from brain_tumor.data.public.groups.tracing import HOW, trace_patients
from brain_tumor.data.samples import SPLITS
from brain_tumor.errors import DataError

OnError = Literal["stop", "skip"]
_CORRECTED = ("relabelled", "left_out", "file")
_LEAST_CONTRAST = 8
"""Difference of grey levels below which an image shows nothing."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedData:
    """The readable images of a data set; all tables and arrays have the same rows."""

    samples: pd.DataFrame
    """Samples table with ``sha256`` and ``group`` filled; ``split`` and ``fold`` are those that the data come with."""
    images: Images
    """uint8 [N, H, W]."""
    views: Images
    """Fingerprints, uint8 [N, VIEWS, SIDE, SIDE]."""
    facts: pd.DataFrame
    """How each file stores its image, see `brain_tumor.data.cache.decoding.Decoded`."""
    pairs: pd.DataFrame
    """``left, right, kind, similarity, mirrored``, see `brain_tumor.data.duplicates.pairs.image_pairs`."""
    unreadable: list[str]
    """Error message of each image that was left out."""
    files: pd.DataFrame
    """``path, reason`` of every file below the folder of the data, see `brain_tumor.data.listing.account`."""
    blank: list[str]
    """``sample_id`` of each image that is blank or nearly so."""
    results: Path | None
    """Folder of the cache for results on these images, None if nothing is written."""
    corrected: dict[str, Any]
    """What the table of corrections changed, see `brain_tumor.data.corrections.correct`; empty without one."""
    curation: dict[str, Any] | None
    """Source of curated groups, None without any, see `brain_tumor.data.public.groups.filling.apply_groups`."""

    def counts(self, split: "pd.Series[str]") -> dict[str, int]:
        """Count the images ``found, readable, distinct``, those of each split, and ``left_out``, which are in none.

        Args:
            split: Split of each sample, empty for none.
        """
        return {
            "found": len(self.samples) + len(self.unreadable),
            "readable": len(self.samples),
            "distinct": distinct_images(self.samples, self.pairs),
            **{name: int((split == name).sum()) for name in SPLITS},
            "left_out": int((split == "").sum()),
        }


def load(
    adapter: Callable[[], Listing | pd.DataFrame],
    *,
    cache_dir: Path,
    image_size: int,
    cache: CacheMode = "disk",
    cache_limit_gb: float | None = None,
    on_error: OnError = "stop",
    root: Path | None = None,
    masks: str | None = None,
    corrections: str | None = None,
) -> LoadedData:
    """List the samples, decode the images that are not in the cache, and group images that belong together.

    Args:
        adapter: Function that lists the samples, as a table alone or with the files left out.
        cache_dir: Folder of the cache for decoded images, fingerprints and pairs.
        image_size: Height and width of the decoded images in pixels.
        cache: Storage of decoded images, see `brain_tumor.data.cache.store.cached_images`.
        cache_limit_gb: Limit of the cache in units of 10⁹ bytes, None for no limit.
        on_error: "stop" at unreadable images, or "skip" them; the log names them in both cases.
        root: Folder of the data, which may contain a ``groups.csv``.
        masks: Another set that lends its masks to images that show its pictures, see `brain_tumor.data.lent_masks`.
        corrections: Table of corrected labels, see `brain_tumor.data.corrections`.

    Raises:
        DataError: The data cannot be used; the message is one sentence.
    """
    found = adapter()
    listed, left_out = found if isinstance(found, Listing) else (found, {})
    decoded = cached_images(listed["path"].tolist(), image_size, cache_dir, cache, cache_limit_gb)
    readable = (decoded.facts["error"] == "").to_numpy(copy=True)
    unreadable = decoded.facts["error"][~readable].tolist()
    if unreadable and on_error == "stop":
        raise DataError(
            f"{len(unreadable)} of {len(listed)} images cannot be read, first: {unreadable[0]} "
            "Repair or remove them, or leave them out with data.on_error=skip."
        )
    for error in unreadable:
        log.warning("Left out: %s", error)
    samples = listed.assign(sha256=decoded.facts["sha256"])[readable].reset_index(drop=True)
    place, unread = root.resolve() if root and root.is_dir() else None, listed["path"][~readable].tolist()
    stays, corrected = np.ones(len(samples), bool), dict[str, Any]()
    if corrections:
        samples, stays, corrected = correct(samples, corrections)
        log.info("%d images relabelled, %d left out by %s.", *(corrected[key] for key in _CORRECTED))
    files = account(place, Listing(listed, left_out), unread, samples["path"][~stays].tolist())
    samples = samples[stays].reset_index(drop=True)
    readable[readable] = stays  # images that were left out have no rows from here on, like unreadable ones
    counts = file_counts(files)
    if counts["left_out"]:
        log.info("%s", describe_counts(counts))
    facts = decoded.facts[readable].reset_index(drop=True)
    blank = [
        samples["sample_id"][new] for new, row in enumerate(np.flatnonzero(readable)) if _is_blank(decoded, int(row))
    ]
    if blank:
        log.warning("%d images are blank or nearly so, first %s: check how they were exported.", len(blank), blank[0])
    samples, curation = apply_groups(samples, root)
    rows = np.flatnonzero(readable)
    views = decoded.views if readable.all() else ImageRows(decoded.views, rows)
    samples, traced = trace_patients(samples, views, facts["pixels"], decoded.results)
    if traced.get("traced"):
        log.info("Traced %d of %d images without a patient id to patients of cheng.", *traced.values())
        curation = {**(curation or {"source": "traced by image", "sets": ["cheng"], "folds": 0}), **traced}
        curation |= {"matched": int((samples["patient_id"] != "").sum()), "of": len(samples)}
        curation["how"] = " ".join(filter(None, (curation.get("how"), HOW)))
    if masks:
        lender = list_lender(masks)
        lender_views = cached_images(lender["path"].tolist(), image_size, cache_dir, cache, cache_limit_gb).views
        samples, lent = lend_masks(samples, views, lender, lender_views, decoded.results)
        log.info("%d images got masks of %s; %d lie otherwise and got none.", lent["lent"], masks, lent["refused"])
    pairs = _pairs_of_readable(image_pairs(decoded), readable)
    return LoadedData(
        samples=assign_groups(samples, pairs),
        images=decoded.images if readable.all() else ImageRows(decoded.images, rows),
        views=views,
        facts=facts,
        pairs=pairs,
        unreadable=unreadable,
        files=files,
        blank=blank,
        results=decoded.results,
        corrected=corrected,
        curation={**curation, **_separated_copies(samples, pairs)} if curation else None,
    )


def _is_blank(decoded: ImageCache, row: int) -> bool:
    """Whether the grey levels of an image, shrunk, differ by less than 8."""
    view = decoded.views[row, WHOLE]
    return int(view.max()) - int(view.min()) < _LEAST_CONTRAST


def _pairs_of_readable(pairs: pd.DataFrame, readable: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Renumber pairs to the rows of the readable images; drop pairs of unreadable ones, which are copies as files."""
    new_row = np.where(readable, np.cumsum(readable) - 1, -1)
    left, right = new_row[pairs["left"].to_numpy(np.int64)], new_row[pairs["right"].to_numpy(np.int64)]
    kept = (left >= 0) & (right >= 0)
    renumbered: pd.DataFrame = pairs.assign(left=left, right=right)[kept].reset_index(drop=True)
    return renumbered


def _separated_copies(samples: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, int]:
    """Count the images with a copy in another given group or fold: given groups are verified, not trusted."""
    copies = pairs[pairs["kind"].isin(COPIES)]
    counts = {}
    for column in ("group", "fold"):
        left, right = (samples[column].to_numpy(object)[copies[end]] for end in ("left", "right"))
        separated = copies[(left != "") & (right != "") & (left != right)]
        counts[f"copies_across_{column}s"] = len(set(separated["left"]) | set(separated["right"]))
    return counts
