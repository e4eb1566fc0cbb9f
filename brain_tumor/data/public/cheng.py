"""Cheng's set: MATLAB files as figshare has them, or images with a ``metadata.csv``."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brain_tumor.data.labels import normalise_label
from brain_tumor.data.public.folders import wrong_layout
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.data.readers.matlab import MASK, read_case
from brain_tumor.data.samples import read_table, samples_table
from brain_tumor.errors import DataError

LABELS = {1: "meningioma", 2: "glioma", 3: "pituitary"}
"""What ``cjdata.label`` means."""

_SUFFIX = re.compile(r"(?<=\d)-?[A-Z]$")
_COLUMNS = ("image", "class", "pid")


def read(published: PublicSet, root: Path) -> pd.DataFrame:
    """Samples with patient and mask.

    Raises:
        DataError: Neither layout is found, archives are not unpacked, or a file cannot be read.
    """
    if table := metadata(root):
        return samples_table(list(_images(table)))
    files = mat_files(root)
    if not files and any(root.rglob("brainTumorDataPublic*.zip")):
        raise DataError(f"{root} holds archives that are not unpacked; unpack brainTumorDataPublic_*.zip there.")
    if not files:
        raise wrong_layout(published, root)
    return samples_table([_case(file, root) for file in files])


def patient_group(patient_id: str) -> str:
    """A patient's id without a trailing letter.

    Some glioma patients appear as MR040240, MR040240B, MR040240C; taken for different people they would stand on both
    sides of a split.

    Example:
        >>> [patient_group(written) for written in ("MR040240", "MR040240B", "MR040240-C", "100360")]
        ['MR040240', 'MR040240', 'MR040240', '100360']
    """
    return _SUFFIX.sub("", patient_id.strip())


def metadata(root: Path) -> Path | None:
    """The table beside the images, also in one folder further down."""
    return next(
        (path for path in (root / "metadata.csv", *sorted(root.glob("*/metadata.csv"))) if path.is_file()), None
    )


def mat_files(root: Path) -> list[Path]:
    """``1.mat`` … at any depth; ``cvind.mat`` holds folds, no image."""
    return sorted(path for path in root.rglob("*.mat") if path.stem.isdigit())


def _case(file: Path, root: Path) -> dict[str, str]:
    case = read_case(file)
    if case.label not in LABELS:
        raise DataError(f"{file} has the label {case.label}; expected 1 (meningioma), 2 (glioma) or 3 (pituitary).")
    return {
        "sample_id": file.relative_to(root).as_posix(),
        "path": str(file),
        "label": LABELS[case.label],
        "patient_id": patient_group(case.patient_id),
        "mask_path": f"{file}#{MASK}" if case.has_mask else "",
    }


def _images(table: Path) -> Iterator[dict[str, str]]:
    rows = read_table(table)
    if missing := [column for column in _COLUMNS if column not in rows.columns]:
        raise DataError(f"{table} has no column {' and no column '.join(missing)}; expected image, class and pid.")
    home = table.parent
    groups = rows["patient_group"] if "patient_group" in rows.columns else rows["pid"].map(patient_group)
    masks = rows["mask"] if "mask" in rows.columns else pd.Series("", index=rows.index)
    for image, label, group, mask in zip(rows["image"], rows["class"], groups, masks, strict=True):
        if (home / image).is_file():  # the counts tell what is missing
            yield {
                "sample_id": str(image),
                "path": str(home / image),
                "label": normalise_label(label),
                "patient_id": str(group),
                "mask_path": str(home / mask) if mask and (home / mask).is_file() else "",
            }
