"""Fill the patient of images that show a curated image, whatever their files are."""

import json
from collections.abc import Set
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.data.cache.results import read_result, write_result
from brain_tumor.data.images import Images
from brain_tumor.data.public.groups.image_codes import CODES_VERSION, trace
from brain_tumor.run_dir.atomic import hold_lock

_STORED = f"traced-{CODES_VERSION}.json"
HOW = (
    "Images without a patient id were compared with codes of Cheng's 3,064 slices, re-encoded, resized, mirrored or "
    "cropped by up to a tenth on each side."
)


def trace_patients(
    samples: pd.DataFrame, views: Images, pixels: "pd.Series[str]", results: Path | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fill ``patient_id`` where it is empty and the image shows a slice of a known patient.

    Args:
        samples: Samples table.
        views: Fingerprints, in the order of the samples, uint8 [N, VIEWS, SIDE, SIDE].
        pixels: Digest of the pixels of each sample; images with one digest are traced once, blank ones (empty) never.
        results: Folder for results on these images; an image that was traced in another set, whose results lie beside
            this folder, is not traced again. None stores nothing.

    Returns:
        The filled table, and ``traced`` and ``traced_of``, the images that were filled and that were tried; empty if
        every image has a patient.
    """
    open_rows = np.flatnonzero((samples["patient_id"] == "").to_numpy() & (pixels != "").to_numpy()).astype(np.int64)
    if not len(open_rows):
        return samples, {}
    digests = pixels.iloc[open_rows]
    first_rows = dict(zip(digests[::-1], open_rows[::-1].tolist(), strict=True))
    patients = _read(results)
    if not first_rows.keys() <= patients.keys():
        with hold_lock(results, "traces these images") if results else nullcontext():
            patients = _read(results)
            patients |= _traced_elsewhere(results, first_rows.keys() - patients.keys())
            rows = np.array(sorted(first_rows[digest] for digest in first_rows.keys() - patients.keys()), np.int64)
            found = trace(views, rows)
            patients |= {pixels.iloc[row]: patient for row, (patient, _) in zip(rows, found, strict=True)}
            write_result(results, _STORED, json.dumps(patients).encode())
    patient_id = samples["patient_id"].to_numpy(object).copy()
    patient_id[open_rows] = [patients[digest] for digest in digests]
    traced = int((patient_id[open_rows] != "").sum())
    return samples.assign(patient_id=patient_id), {"traced": traced, "traced_of": len(open_rows)}


def _read(results: Path | None) -> dict[str, str]:
    """Read the patient per digest of pixels; empty where nothing is stored."""
    return dict(json.loads(read_result(results, _STORED) or b"{}"))


def _traced_elsewhere(results: Path | None, digests: Set[str]) -> dict[str, str]:
    """Collect the patients of those digests that were traced as part of other sets."""
    found: dict[str, str] = {}
    for stored in results.parent.glob(f"results-*/{_STORED}") if results else ():
        if found.keys() >= digests:
            break
        found |= {digest: patient for digest, patient in _read(stored.parent).items() if digest in digests}
    return found


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
