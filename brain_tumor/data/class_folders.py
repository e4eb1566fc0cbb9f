"""Class folders: which folders stand for classes and which for splits, and the samples in them."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from brain_tumor.data.labels import normalise_label
from brain_tumor.data.listing import Listing, all_files, is_hidden
from brain_tumor.data.readers.reading import is_scan
from brain_tumor.data.readers.volumes import NOT_CHOSEN, Row, ScanRules, Scans, find_scans
from brain_tumor.data.samples import samples_table
from brain_tumor.errors import DataError

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_FILLERS = re.compile(r"(data|dataset|set|images?|imgs?|scans?|split|folder|files?)+$")
"""Words behind the name of a split: training_set, TestImages."""
_SPLIT_WORD = re.compile(r"(^|[^a-z])(train|training|val|valid|validation|test|testing)([^a-z]|$)")


def list_class_folders(class_folders: Mapping[Path, str], top: Path, rules: ScanRules) -> Listing:
    """List the samples of given class folders.

    Args:
        class_folders: Folder of a class → split of its images, empty for none.
        top: Folder that ``sample_id`` is relative to.
        rules: Which files and slices are taken.

    Raises:
        DataError: A class folder holds no images, or none is taken.
    """
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    for class_folder, split in class_folders.items():
        scans = _scans_of_class(class_folder, top, split, rules)
        rows += scans.rows
        left_out |= scans.left_out
    return Listing(samples_table(rows), left_out)


def split_of_folder(name: str) -> str:
    """Return the split that a folder's name stands for; empty if it stands for none.

    >>> [split_of_folder(name) for name in ("Training", "test_set", "ValImages", "glioma")]
    ['train', 'test', 'val', '']
    """
    letters = re.sub(r"[\W_]+", "", name.lower())
    return SPLIT_NAMES.get(letters) or SPLIT_NAMES.get(_FILLERS.sub("", letters), "")


def require_classes_alone(top: Path) -> None:
    """Refuse folders that seem to be splits with unknown names, or that repeat the classes beside them.

    A model would otherwise learn to tell splits apart, or copies from their originals.
    """
    children = subfolders(top)
    splits = [child.name for child in children if _SPLIT_WORD.search(child.name.lower())]
    if splits:
        raise DataError(
            f"{top} holds {', '.join(splits[:4])}, which seem to be splits and not classes; rename them to train, val "
            "and test."
        )
    labels = {normalise_label(child.name) for child in children}
    for child in children:
        inside = {normalise_label(inner.name) for inner in subfolders(child)}
        if len(inside & labels) >= 2:
            raise DataError(
                f"{top} holds the classes {', '.join(sorted(inside & labels))} twice: beside {child.name} and in it; "
                f"name one of them, data.root={child}, or move {child.name} away."
            )


def subfolders(path: Path) -> list[Path]:
    """List the folders directly below a folder, sorted, without hidden ones."""
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith((".", "__")))


def skip_wrappers(path: Path) -> Path:
    """Descend through folders that contain nothing but one other folder, as unpacked archives often do."""
    children = subfolders(path)
    while len(children) == 1 and subfolders(children[0]):
        path, children = children[0], subfolders(children[0])
    return path


def _scans_of_class(class_folder: Path, top: Path, split: str, rules: ScanRules) -> Scans:
    images = image_files(class_folder)
    if not images:
        raise DataError(f"The class folder {class_folder} holds no images; add some or remove it.")
    for path in images:
        if os.fsencode(path) != str(path).encode(errors="replace"):
            raise DataError(f"The file name {str(path)!r} is not UTF-8 text; rename the file.")
    scans = find_scans(images, class_folder, rules)
    if not scans.rows:
        raise DataError(nothing_taken(f"the scans in {class_folder}", scans, rules))
    common = {"label": normalise_label(class_folder.name), "split": split}
    rows = [{**row, **common, "sample_id": Path(row["path"]).relative_to(top).as_posix()} for row in scans.rows]
    return scans._replace(rows=rows)


def nothing_taken(what: str, scans: Scans, rules: ScanRules) -> str:
    """Say why nothing of ``what`` is taken, and what to do."""
    reasons = Counter(scans.left_out.values())
    if set(reasons) == {NOT_CHOSEN}:
        return f"data.slices={rules.policy} selects no slice of {what}; select others, or remove it."
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"Nothing of {what} is taken ({counts}); change data.modalities, derived, plane or slices, or remove it."


def image_files(folder: Path) -> list[Path]:
    """List the images at any depth below a folder, following links; hidden files and repeated folders are skipped."""
    return [path for path in all_files(folder) if not is_hidden(path, folder) and is_scan(path) and path.is_file()]
