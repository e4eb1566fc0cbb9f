"""Read sets of class folders: only the published class folders count, whatever else the download contains."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from brain_tumor.data.class_folders import list_class_folders
from brain_tumor.data.listing import Listing
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.data.readers.volumes import ScanRules
from brain_tumor.errors import DataError

_MAX_DEPTH = 4
"""Levels of folders that are searched for the class folders, the root included."""


def read(dataset: PublicSet, root: Path) -> Listing:
    """Read the samples of the published class folders.

    Raises:
        DataError: The class folders are not found, or one of them is empty.
    """
    top = top_folder(dataset, root)
    if top is None:
        raise wrong_layout(dataset, root)
    inside = subfolders(top)
    splits = dataset.split_folders or {}
    parents = {inside[name]: split for name, split in splits.items() if name in inside} or {top: ""}
    class_folders = {
        child: split
        for parent, split in parents.items()
        for name, child in subfolders(parent).items()
        if name in dataset.class_folders
    }
    samples, left_out = list_class_folders(class_folders, top, ScanRules.parse("largest:1"))
    ids = zip(samples["sample_id"], samples["split"], strict=True)
    names = [sample_id.split("/")[1 if split else 0].lower() for sample_id, split in ids]
    return Listing(samples.assign(label=[dataset.class_folders[name] for name in names]), left_out)


def top_folder(dataset: PublicSet, root: Path) -> Path | None:
    """Find the shallowest folder that contains the class folders, or the split folders that contain them."""
    return next((path for path in _breadth_first(root) if _has_classes(dataset, path)), None)


def wrong_layout(dataset: PublicSet, root: Path) -> DataError:
    """Build the error that states the content of ``root`` and the expected layout."""
    names = [path.name for path in sorted(root.iterdir())]
    content = ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "nothing"
    return DataError(
        f"{root} does not have the layout of {dataset.name}: expected {dataset.layout}; it contains {content}. "
        f"`brain-tumor data list {dataset.name}` says where to get the set."
    )


def subfolders(path: Path) -> Mapping[str, Path]:
    """Folders directly below a folder, by their name in lower case."""
    try:
        return {child.name.lower(): child for child in sorted(path.iterdir()) if child.is_dir()}
    except PermissionError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): change its permissions.") from error


def _has_classes(dataset: PublicSet, path: Path) -> bool:
    inside = subfolders(path)
    parents = [path]
    if dataset.split_folders:
        parents = [inside[name] for name in dataset.split_folders if name in inside]
    return any(sum(name in dataset.class_folders for name in subfolders(parent)) >= 2 for parent in parents)


def _breadth_first(root: Path) -> Iterator[Path]:
    """Folders below ``root`` and itself, the shallowest first."""
    level = [root]
    for _ in range(_MAX_DEPTH):
        yield from level
        level = [child for path in level for child in subfolders(path).values() if not child.name.startswith(".")]
