"""Small generated data in the layout of each public set."""

from pathlib import Path

import h5py
import numpy as np
from factories import draw, save

from brain_tumor.data.public import cheng
from brain_tumor.data.public.registry import SETS

CODES = {"glioma": "gl", "meningioma": "me", "pituitary": "pi", "no_tumor": "no"}
WRAPPERS = {"pmram": "PMRAM/Raw", "preetviradiya": "Brain Tumor Data Set/Brain Tumor Data Set"}
IGNORED = {  # images that a set contains and that are not read
    "navoneel": ("brain_tumor_dataset/yes/Y1.png", "brain_tumor_dataset/no/1 no.png"),
    "br35h": ("pred/pred0.png", "Br35H-Mask-RCNN/TRAIN/y0.png"),
    "pmram": ("PMRAM/Augmented/512Glioma/1.png",),
}
SPELLING = {  # class folders that publishers do not write in lower case
    "brain tumor": "Brain Tumor",
    "healthy": "Healthy",
    **{f"512{name}": f"512{name.title()}" for name in ("glioma", "meningioma", "normal", "pituitary")},
}


def write(name: str, root: Path, train: int = 12, test: int = 4) -> Path:
    """Write a small set in the layout of a public one; return ``root``.

    Args:
        name: Name of the public set.
        root: Folder of the set.
        train: Number of training images per class; of all images where the set has no split.
        test: Number of test images per class.
    """
    match name:
        case "cheng":
            _cheng(root / "brainTumorDataPublic_1-766", train)
        case "brisc2025":
            _brisc(root / "brisc2025", train, test)
        case _:
            _folders(name, root / WRAPPERS.get(name, ""), train, test)
    for path in IGNORED.get(name, ()):
        save(root / path, "glioma", 999)
    return root


def write_mat(path: Path, label: int, pid: str, image: np.ndarray, mask: np.ndarray | None = None) -> Path:
    """Write a file as MATLAB -v7.3 does: arrays transposed, text as uint16 codes, a user block of 512 bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        data = file.create_group("cjdata")
        data["label"] = np.array([[float(label)]])
        data["PID"] = np.array([[ord(sign)] for sign in pid], np.uint16)
        data["image"] = image.T.astype(np.int16)
        data["tumorBorder"] = np.array([[1.0, 2.0, 3.0, 4.0]])
        if mask is not None:
            data["tumorMask"] = mask.T.astype(np.uint8)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def _folders(name: str, top: Path, train: int, test: int) -> None:
    dataset = SETS[name]
    counts = {"Training": train, "Testing": test} if dataset.split_folders else {"": train}
    for part, count in counts.items():
        for folder, label in dataset.class_folders.items():
            for number in range(count):
                file = f"{folder[0]}{number}.png" if name == "br35h" else f"{number} {folder}.png"
                path = top / part / SPELLING.get(folder, folder) / file
                save(path, "glioma" if label == "tumor" else label, number + 500 * (part == "Testing"))


def _brisc(top: Path, train: int, test: int) -> None:
    planes = ("ax", "co", "sa")
    for split, count in {"train": train, "test": test}.items():
        for label, code in CODES.items():
            for number in range(count):
                stem = f"brisc2025_{split}_{number:05d}_{code}_{planes[number % 3]}_t1"
                save(
                    top / "classification_task" / split / label / f"{stem}.jpg",
                    label,
                    number + 500 * (split == "test"),
                )
                if label != "no_tumor":
                    save(top / "segmentation_task" / split / "images" / f"{stem}.jpg", label, number)
                    save(top / "segmentation_task" / split / "masks" / f"{stem}.png", label, number)


def _cheng(top: Path, count: int) -> None:
    for label, name in cheng.LABELS.items():
        for number in range(count):
            pid = f"MR{label}{number // 2:05d}" + ("B" if number % 2 else "")  # two examinations of each patient
            image = draw(name, number).astype(np.int16) * 8
            write_mat(top / f"{label * 100 + number}.mat", label, pid, image, image > 1200)
    (top / "cvind.mat").write_bytes(b"no image")
