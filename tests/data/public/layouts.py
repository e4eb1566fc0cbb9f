"""Dummy data in the layout of every public set, as its publisher packs it."""

from pathlib import Path

import h5py
import numpy as np
from conftest import draw, save

from brain_tumor.data.public import cheng
from brain_tumor.data.public.registry import SETS

CODES = {"glioma": "gl", "meningioma": "me", "pituitary": "pi", "no_tumor": "no"}
SPELLING = {  # of folders, where publishers do not write lower case
    "brain tumor": "Brain Tumor",
    "healthy": "Healthy",
    **{f"512{name}": f"512{name.title()}" for name in ("glioma", "meningioma", "normal", "pituitary")},
}


def write(name: str, root: Path, train: int = 12, test: int = 4) -> Path:
    """Write a small copy of a set; classes of sets without a split get ``train`` images each."""
    match name:
        case "cheng":
            _cheng(root / "brainTumorDataPublic_1-766", train)
        case "brisc2025":
            _brisc(root / "brisc2025", train, test)
        case _:
            home = root / {"pmram": "PMRAM/Raw", "preetviradiya": "Brain Tumor Data Set/Brain Tumor Data Set"}.get(
                name, ""
            )
            _folders(name, home, train, test)
    for clutter in {
        "navoneel": ("brain_tumor_dataset/yes/Y1.png", "brain_tumor_dataset/no/1 no.png"),
        "br35h": ("pred/pred0.png", "Br35H-Mask-RCNN/TRAIN/y0.png"),
        "pmram": ("PMRAM/Augmented/512Glioma/1.png",),
    }.get(name, ()):
        save(root / clutter, "glioma", 999)
    return root


def write_mat(path: Path, label: int, pid: str, image: np.ndarray, mask: np.ndarray | None = None) -> Path:
    """A file as MATLAB -v7.3 writes it: arrays transposed, text as uint16 codes, a user block of 512 bytes."""
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


def _folders(name: str, home: Path, train: int, test: int) -> None:
    published = SETS[name]
    for part, count in {"Training": train, "Testing": test}.items() if published.parts else {"": train}.items():
        for folder, label in published.folders.items():
            drawn = "glioma" if label == "tumor" else label
            for number in range(count):
                file = f"{folder[0]}{number}.png" if name == "br35h" else f"{number} {folder}.png"
                save(
                    home / part / SPELLING.get(folder, folder) / file, drawn, number + (500 if part == "Testing" else 0)
                )


def _brisc(home: Path, train: int, test: int) -> None:
    planes = ("ax", "co", "sa")
    for split, count in {"train": train, "test": test}.items():
        for label, code in CODES.items():
            for number in range(count):
                stem = f"brisc2025_{split}_{number:05d}_{code}_{planes[number % 3]}_t1"
                save(
                    home / "classification_task" / split / label / f"{stem}.jpg",
                    label,
                    number + 500 * (split == "test"),
                )
                if label != "no_tumor":
                    save(home / "segmentation_task" / split / "images" / f"{stem}.jpg", label, number)
                    save(home / "segmentation_task" / split / "masks" / f"{stem}.png", label, number)


def _cheng(home: Path, count: int) -> None:
    for label, name in cheng.LABELS.items():
        for number in range(count):
            pid = f"MR{label}{number // 2:05d}" + ("B" if number % 2 else "")  # two examinations of each patient
            image = draw(name, number).astype(np.int16) * 8
            write_mat(home / f"{label * 100 + number}.mat", label, pid, image, image > 1200)
    (home / "cvind.mat").write_bytes(b"no image")
