"""Read sets of class folders: only the published class folders count, whatever else the download contains."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from brain_tumor.data.folder_and_manifest import folder
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError

_MAX_DEPTH = 4
"""Levels of folders that are searched for the class folders, the root included."""


def read(dataset: PublicSet, root: Path) -> pd.DataFrame:
    """Read the samples of the published class folders.

    Raises:
        DataError: The class folders are not found, or one of them is empty.
    """
    top = top_folder(dataset, root)
    if top is None:
        raise wrong_layout(dataset, root)
    samples = folder(top)
    parts = samples["sample_id"].str.split("/")
    names = [path[1 if split else 0].lower() for path, split in zip(parts, samples["split"], strict=True)]
    samples["label"] = [dataset.class_folders.get(name, "") for name in names]
    return samples[samples["label"] != ""].reset_index(drop=True)


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
