"""Read Cheng's set: MATLAB files as figshare distributes them, or images with a ``metadata.csv``."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brain_tumor.data.labels import normalise_label
from brain_tumor.data.listing import Listing
from brain_tumor.data.public.folders import wrong_layout
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.data.readers.matlab import MASK, read_case
from brain_tumor.data.samples import read_table, samples_table
from brain_tumor.errors import DataError

LABELS = {1: "meningioma", 2: "glioma", 3: "pituitary"}
"""Value of ``cjdata.label`` → class."""

_SUFFIX = re.compile(r"(?<=\d)-?[A-Z]$")
_COLUMNS = ("image", "class", "pid")


def read(dataset: PublicSet, root: Path) -> Listing:
    """Read the samples with patient and mask.

    Raises:
        DataError: Neither layout is found, archives are not unpacked, or a file cannot be read.
    """
    table = metadata_file(root)
    if table:
        return Listing(samples_table(list(_rows_of_images(table))), {})
    files = mat_files(root)
    if not files and any(root.rglob("brainTumorDataPublic*.zip")):
        raise DataError(f"{root} contains archives that are not unpacked: unpack brainTumorDataPublic_*.zip there.")
    if not files:
        raise wrong_layout(dataset, root)
    return Listing(samples_table([_row_of_case(file, root) for file in files]), {})


def patient_group(patient_id: str) -> str:
    """Remove a trailing letter from a patient id.

    Some patients with a glioma have several ids, MR040240, MR040240B and MR040240C; as different patients they could be
    in train and in test.

    Example:
        >>> [patient_group(patient_id) for patient_id in ("MR040240", "MR040240B", "MR040240-C", "100360")]
        ['MR040240', 'MR040240', 'MR040240', '100360']
    """
    return _SUFFIX.sub("", patient_id.strip())


def metadata_file(root: Path) -> Path | None:
    """Find ``metadata.csv`` in ``root`` or in a folder directly below it."""
    candidates = (root / "metadata.csv", *sorted(root.glob("*/metadata.csv")))
    return next((path for path in candidates if path.is_file()), None)


def is_cheng(root: Path) -> bool:
    """Return whether a folder holds this set: numbered MATLAB files, or a ``metadata.csv`` with patients.

    Other sets have a ``metadata.csv``, too.
    """
    table = metadata_file(root)
    if table is None:
        return bool(mat_files(root))
    with table.open(encoding="utf-8-sig", errors="replace") as file:
        return "pid" in file.readline().strip().split(",")


def mat_files(root: Path) -> list[Path]:
    """Find ``1.mat`` … ``3064.mat`` at any depth; ``cvind.mat`` holds folds and no image."""
    return sorted(path for path in root.rglob("*.mat") if path.stem.isdigit())


def _row_of_case(file: Path, root: Path) -> dict[str, str]:
    case = read_case(file)
    if case.label not in LABELS:
        raise DataError(
            f"{file}: invalid label {case.label}: expected 1 (meningioma), 2 (glioma) or 3 (pituitary); fetch it again."
        )
    return {
        "sample_id": file.relative_to(root).as_posix(),
        "path": str(file),
        "label": LABELS[case.label],
        "patient_id": patient_group(case.patient_id),
        "mask_path": f"{file}#{MASK}" if case.has_mask else "",
    }


def _rows_of_images(table: Path) -> Iterator[dict[str, str]]:
    rows = read_table(table)
    missing = [column for column in _COLUMNS if column not in rows.columns]
    if missing:
        raise DataError(f"{table} has no column {' and no column '.join(missing)}: expected image, class and pid.")
    parent = table.parent
    groups = rows["patient_group"] if "patient_group" in rows.columns else rows["pid"].map(patient_group)
    masks = rows["mask"] if "mask" in rows.columns else pd.Series("", index=rows.index)
    for image, label, group, mask in zip(rows["image"], rows["class"], groups, masks, strict=True):
        if (parent / image).is_file():  # missing images are reported with the counts
            yield {
                "sample_id": str(image),
                "path": str(parent / image),
                "label": normalise_label(label),
                "patient_id": str(group),
                "mask_path": str(parent / mask) if mask and (parent / mask).is_file() else "",
            }
