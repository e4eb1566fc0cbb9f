"""BRISC 2025: split, class and plane stand in the file name; masks lie in the segmentation task."""

import re
from pathlib import Path

import pandas as pd

from brain_tumor.data.catalog import folder
from brain_tumor.data.public.folders import children, wrong_layout
from brain_tumor.data.public.registry import PublicSet
from brain_tumor.errors import DataError

_NAME = re.compile(r"brisc2025_(train|test)_\d+_(gl|me|pi|no|nt)_(ax|co|sa)_", re.IGNORECASE)
_LABELS = {"gl": "glioma", "me": "meningioma", "pi": "pituitary", "no": "no_tumor", "nt": "no_tumor"}
_PLANES = {"ax": "axial", "co": "coronal", "sa": "sagittal"}


def read(published: PublicSet, root: Path) -> pd.DataFrame:
    """Samples of the classification task with plane, published split and, where the other task is there, mask.

    Raises:
        DataError: There is no classification task, or a file is named otherwise or stands in another class's folder.
    """
    top = home(root)
    if top is None:
        raise wrong_layout(published, root)
    samples = folder(top)
    masks = _masks(top.parent)
    facts = [_facts(path, label) for path, label in zip(samples["path"], samples["label"], strict=True)]
    samples["split"], samples["label"], samples["plane"] = zip(*facts, strict=True)
    samples["mask_path"] = [masks.get(Path(path).stem, "") for path in samples["path"]]
    return samples


def home(root: Path) -> Path | None:
    """The folder ``classification_task``, up to three levels down."""
    if root.name.lower() == "classification_task":
        return root
    level = [root]
    for _ in range(3):
        inside = [children(path) for path in level]
        if found := [names["classification_task"] for names in inside if "classification_task" in names]:
            return found[0]
        level = [child for names in inside for child in names.values()]
    return None


def _facts(path: str, label: str) -> tuple[str, str, str]:
    match = _NAME.match(Path(path).name)
    if match is None:
        raise DataError(
            f"{path} is not named as brisc2025 names its files; expected brisc2025_train_00001_gl_ax_t1.jpg."
        )
    split, code, plane = match[1].lower(), match[2].lower(), match[3].lower()
    if _LABELS[code] != label:
        raise DataError(f"{path} stands in the folder of {label}, but its name says {_LABELS[code]}; fetch it again.")
    return split, label, _PLANES[plane]


def _masks(parent: Path) -> dict[str, str]:
    task = children(parent).get("segmentation_task")
    return {path.stem: str(path) for path in sorted(task.rglob("masks/*.png"))} if task else {}
