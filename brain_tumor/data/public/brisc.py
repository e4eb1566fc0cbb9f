"""Read BRISC 2025: split, class and plane are part of the file name; masks are in the segmentation task."""

import re
from pathlib import Path

from brain_tumor.data.folder_and_manifest import folder
from brain_tumor.data.listing import Listing
from brain_tumor.data.public.folders import subfolders, wrong_layout
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError

_NAME = re.compile(r"brisc2025_(train|test)_\d+_(gl|me|pi|no|nt)_(ax|co|sa)_", re.IGNORECASE)
_LABELS = {"gl": "glioma", "me": "meningioma", "pi": "pituitary", "no": "no_tumor", "nt": "no_tumor"}
_PLANES = {"ax": "axial", "co": "coronal", "sa": "sagittal"}


def read(dataset: PublicSet, root: Path) -> Listing:
    """Read the samples of the classification task with plane, published split and, where available, mask.

    Raises:
        DataError: There is no classification task, a file name has another form, or it contradicts the class folder.
    """
    top = task_folder(root)
    if top is None:
        raise wrong_layout(dataset, root)
    samples, left_out = folder(top)
    masks = _masks(top.parent)
    fields = [_parse_name(path, label) for path, label in zip(samples["path"], samples["label"], strict=True)]
    samples["split"], samples["plane"] = zip(*fields, strict=True)
    samples["mask_path"] = [masks.get(Path(path).stem, "") for path in samples["path"]]
    return Listing(samples, left_out)


def task_folder(root: Path) -> Path | None:
    """Find the folder ``classification_task``, up to three levels below ``root``."""
    if root.name.lower() == "classification_task":
        return root
    level = [root]
    for _ in range(3):
        inside = [subfolders(path) for path in level]
        tasks = [names["classification_task"] for names in inside if "classification_task" in names]
        if tasks:
            return tasks[0]
        level = [child for names in inside for child in names.values()]
    return None


def _parse_name(path: str, label: str) -> tuple[str, str]:
    """Split and plane of a file.

    Args:
        path: Path of the file.
        label: Class that its folder names.
    """
    match = _NAME.match(Path(path).name)
    if match is None:
        raise DataError(
            f"Invalid file name {path}: expected the form brisc2025_train_00001_gl_ax_t1.jpg; fetch it again."
        )
    split, code, plane = match[1].lower(), match[2].lower(), match[3].lower()
    if _LABELS[code] != label:
        raise DataError(f"{path} is in the folder of {label}, but its name says {_LABELS[code]}: fetch it again.")
    return split, _PLANES[plane]


def _masks(parent: Path) -> dict[str, str]:
    """File name without suffix → path of the mask; empty where the segmentation task was not downloaded."""
    task = subfolders(parent).get("segmentation_task")
    return {path.stem: str(path) for path in sorted(task.rglob("masks/*.png"))} if task else {}
