"""Fill the patient of images that show a curated image, whatever their files are."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.data.images import Images
from brain_tumor.data.public.groups.image_codes import CODES_VERSION, trace
from brain_tumor.data.samples import read_table
from brain_tumor.run_dir.atomic import published_file

HOW = (
    "Images without a patient id were compared with codes of Cheng's 3,064 slices, re-encoded, resized, mirrored or "
    "cropped by up to a tenth on each side."
)


def trace_patients(
    samples: pd.DataFrame, views: Images, pixels: "pd.Series[str]", entry: Path | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fill ``patient_id`` where it is empty and the image shows a slice of a known patient.

    Args:
        samples: Samples table.
        views: Fingerprints, in the order of the samples, uint8 [N, VIEWS, SIDE, SIDE].
        pixels: Digest of the pixels of each sample; images with one digest are traced once, blank ones (empty) never.
        entry: Folder that stores the results for these images, None stores nothing.

    Returns:
        The filled table, and ``traced`` and ``traced_of``, the images that were filled and that were tried; empty if
        every image has a patient.
    """
    open_rows = np.flatnonzero((samples["patient_id"] == "").to_numpy() & (pixels != "").to_numpy()).astype(np.int64)
    if not len(open_rows):
        return samples, {}
    digests = pixels.to_numpy(object)[open_rows]
    known = _stored(entry)
    unknown = [row for row, digest in zip(open_rows, digests, strict=True) if digest not in known]
    _, first = np.unique(pixels.to_numpy(object)[unknown], return_index=True)
    rows = np.array(unknown, np.int64)[np.sort(first)]
    found = {pixels.iloc[row]: patient for row, (patient, _) in zip(rows, trace(views, rows), strict=True)}
    _store(entry, known | found)
    patient_id = samples["patient_id"].to_numpy(object).copy()
    patient_id[open_rows] = [(known | found)[digest] for digest in digests]
    traced = int((patient_id[open_rows] != "").sum())
    return samples.assign(patient_id=patient_id), {"traced": traced, "traced_of": len(open_rows)}


def _path(entry: Path) -> Path:
    return entry / f"traced-{CODES_VERSION}.csv"


def _stored(entry: Path | None) -> dict[str, str]:
    if entry is None or not _path(entry).is_file():
        return {}
    table = read_table(_path(entry))
    return dict(zip(table["pixels"], table["patient"], strict=True))


def _store(entry: Path | None, traced: dict[str, str]) -> None:
    if entry is None:
        return
    with suppress(OSError), published_file(_path(entry)) as draft:  # the cache may be read-only
        pd.DataFrame(list(traced.items()), columns=["pixels", "patient"]).to_csv(draft, index=False)


def grouping_statement(samples: pd.DataFrame) -> str:
    """Say what groups are made of, and so what a split by group has and has not checked.

    Args:
        samples: Samples table with ``patient_id`` filled as far as it is known.
    """
    known = int((samples["patient_id"] != "").sum())
    if known == len(samples):
        return "every image has a patient id; a group is a patient, and near-duplicates are joined"
    similar = "groups are near-duplicates and similar heads only, so that a patient may be in two splits"
    if not known:
        return f"no patient ids were given and none could be traced: {similar}"
    return f"{known} of {len(samples)} images have a patient id; of the others, {similar}"
