"""Tumour masks of another set whose pictures these images show, such as Cheng's for copies of his slices."""

import hashlib
import json
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor.data.cache.decoding import fit_square
from brain_tumor.data.cache.results import stored_result
from brain_tumor.data.fingerprint import WHOLE, mirror, unit
from brain_tumor.data.folder_and_manifest import folder, manifest
from brain_tumor.data.images import Images
from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.masks import MIRRORED
from brain_tumor.data.public import public_set
from brain_tumor.data.public.cheng import is_cheng
from brain_tumor.data.readers.reading import read_image
from brain_tumor.errors import DataError

_Matches = dict[str, tuple[int, bool]]
"""Row, as text → row of the lender (−1: refused), and whether its mask is mirrored."""
LENT_VERSION = 1
"""Part of stored results: raise it when other masks would be lent."""
MIN_SIMILARITY = 0.99
"""Correlation of two whole images, as small views and at `_CHECKED` pixels, from which one shows the other in place."""
_CHECKED = 128
_CHUNK = 512
_LEFT_RIGHT = 1
log = logging.getLogger(__name__)


def list_lender(place: str | Path) -> pd.DataFrame:
    """List the samples of a set that has masks: Cheng's, or a folder or manifest as for ``data=folder|manifest``.

    Raises:
        DataError: There is no such set, or none of its images has a mask.
    """
    path = Path(place).expanduser()
    if path.is_file():
        listing = manifest(path)
    elif path.is_dir() and is_cheng(path):
        listing = public_set("cheng", path)
    else:
        listing = folder(path)
    if not (listing.samples["mask_path"] != "").any():
        raise DataError(
            f"data.masks={place} holds no masks; give the folder of cheng, or another set whose images have masks."
        )
    return listing.samples


def lend_masks(
    samples: pd.DataFrame, views: Images, lender: pd.DataFrame, lender_views: Images, results: Path | None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Fill ``mask_path`` of tumour images without a mask from the most similar image of another set.

    The other image must be the same picture, upright or mirrored left–right: its small view and the image itself must
    correlate with this one at `MIN_SIMILARITY` or more, in the same place.

    Args:
        samples: Samples table.
        views: Their fingerprints, uint8 [N, VIEWS, SIDE, SIDE].
        lender: Samples table of the other set; images without a mask are not used.
        lender_views: Its fingerprints, uint8 [M, VIEWS, SIDE, SIDE].
        results: Folder for results on these images; None stores nothing.

    Returns:
        The filled table, with `MIRRORED` behind masks that are to be mirrored, and ``lent``, the number of masks, and
        ``refused``, of images whose small views correlate and the images themselves do not.
    """
    rows = np.flatnonzero((samples["mask_path"] == "") & (samples["label"] != HEALTHY)).astype(np.int64)
    lending = np.flatnonzero(lender["mask_path"] != "").astype(np.int64)
    if not len(rows) or not len(lending):
        return samples, {"lent": 0, "refused": 0}
    name = f"lent-{LENT_VERSION}-{'-'.join(_digest(table) for table in (samples, lender))}.json"
    matches: _Matches = stored_result(
        results,
        name,
        "looks for the masks of these images",
        compute=lambda: _matches(samples, views, rows, lender, lender_views, lending),
        to_bytes=lambda found: json.dumps(found).encode(),
        from_bytes=json.loads,
    )
    masks = samples["mask_path"].to_numpy(object).copy()
    for row, (other, mirrored) in matches.items():
        if other >= 0:
            masks[int(row)] = f"{lender['mask_path'].iloc[other]}{MIRRORED if mirrored else ''}"
    lent = sum(other >= 0 for other, _ in matches.values())
    return samples.assign(mask_path=masks), {"lent": lent, "refused": len(matches) - lent}


def _matches(
    samples: pd.DataFrame,
    views: Images,
    rows: npt.NDArray[np.int64],
    lender: pd.DataFrame,
    lender_views: Images,
    lending: npt.NDArray[np.int64],
) -> _Matches:
    whole = lender_views[lending, WHOLE]
    known = np.concatenate([unit(whole), unit(mirror(whole, _LEFT_RIGHT))])
    found: _Matches = {}
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        similarity = unit(views[chunk, WHOLE]) @ known.T
        for row, best, value in zip(chunk, similarity.argmax(axis=1), similarity.max(axis=1), strict=True):
            if value >= MIN_SIMILARITY:
                other, mirrored = int(lending[best % len(lending)]), bool(best >= len(lending))
                paths = samples["path"].iloc[row], lender["path"].iloc[other]
                found[str(row)] = (other if _in_place(*paths, mirrored=mirrored) else -1, mirrored)
    return found


def _in_place(path: str, other: str, *, mirrored: bool) -> bool:
    """Return whether two images correlate as they are trained on, with their proportions."""
    image, lent = (fit_square(read_image(each), _CHECKED) for each in (path, other))
    first, second = unit(np.stack([image, mirror(lent, _LEFT_RIGHT) if mirrored else lent]))
    return bool(first @ second >= MIN_SIMILARITY)


def _digest(table: pd.DataFrame) -> str:
    return hashlib.sha256(table[["path", "label", "mask_path"]].to_csv(index=False).encode()).hexdigest()[:12]
