"""Sets of class folders: those of the set are read, whatever else the download holds is left out."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from brain_tumor.data.catalog import folder
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError

_DEPTH = 4  # wrapper folders that an unpacked archive may have


def read(published: PublicSet, root: Path) -> pd.DataFrame:
    """Samples of the class folders that the set publishes; no others.

    Raises:
        DataError: They are not found, or one of them is empty.
    """
    top = home(published, root)
    if top is None:
        raise wrong_layout(published, root)
    samples = folder(top)
    below = samples["sample_id"].str.split("/")
    class_folders = [parts[1 if split else 0] for parts, split in zip(below, samples["split"], strict=True)]
    samples["label"] = [published.folders.get(name.lower(), "") for name in class_folders]
    return samples[samples["label"] != ""].reset_index(drop=True)


def home(published: PublicSet, root: Path) -> Path | None:
    """The shallowest folder that holds the set's class folders, or the parts that hold them."""
    return next((path for path in _downwards(root) if _holds(published, path)), None)


def wrong_layout(published: PublicSet, root: Path) -> DataError:
    """The error that says what lies at ``root`` and what was expected."""
    found = [path.name for path in sorted(root.iterdir())]
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "") if found else "nothing"
    return DataError(
        f"{root} is not laid out as {published.name}: expected {published.layout}; it holds {shown}; "
        f"`brain-tumor data list {published.name}` says where to get it."
    )


def children(path: Path) -> Mapping[str, Path]:
    """Folders directly below, by their name in lower case."""
    try:
        return {child.name.lower(): child for child in sorted(path.iterdir()) if child.is_dir()}
    except PermissionError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); change its permissions.") from error


def _holds(published: PublicSet, path: Path) -> bool:
    inside = children(path)
    places = [inside[part] for part in published.parts if part in inside] if published.parts else [path]
    return any(sum(name in published.folders for name in children(place)) >= 2 for place in places)


def _downwards(root: Path) -> Iterator[Path]:
    """Folders by their depth, the shallowest first."""
    level = [root]
    for _ in range(_DEPTH):
        yield from level
        level = [child for path in level for child in children(path).values() if not child.name.startswith(".")]
