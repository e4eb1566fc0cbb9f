"""As many different images in files as wanted, made cheaply: what ``growth_speed.py`` reads.

Each shows one of a few hundred rendered phantoms, turned, shifted and scaled, under a smooth field of its own that
brightens and darkens it, with noise of its own. That makes them as different as images of different heads are; they
teach nothing. One in twenty is a copy of an earlier one, in another quality.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.phantom import draw_patients, render

GreyImage = npt.NDArray[np.uint8]
SIZE = 128
COPIES = 20
"""One image in this many is a copy."""
_PHANTOMS = 300
_PATIENT = 4
"""Images of one patient, of one class."""
_CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")


def write(folder: Path, count: int, phantoms: int = _PHANTOMS) -> None:
    """Write images, and a manifest of the first N of them for any N that `manifest` is asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    patients = draw_patients(phantoms, 0)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rendered = list(pool.map(lambda patient: render(patient, 0, SIZE)[0], patients))
        list(pool.map(lambda number: _write(folder, number, rendered), range(count)))


def manifest(folder: Path, count: int) -> Path:
    """A manifest of the first images."""
    rows = (
        f"{_name(number)},{_CLASSES[number // _PATIENT % len(_CLASSES)]},p{number // _PATIENT}"
        for number in range(count)
    )
    path = folder / f"first_{count}.csv"
    path.write_text("\n".join(["path,label,patient_id", *rows]) + "\n")
    return path


def _name(number: int) -> str:
    return f"{number // 1000:03d}/{number:06d}.jpg"


def _write(folder: Path, number: int, rendered: list[GreyImage]) -> None:
    copied = number % COPIES == COPIES - 1
    image = draw(number - 1 if copied else number, rendered)
    path = folder / _name(number)
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 80 if copied else 92])


def draw(number: int, rendered: list[GreyImage]) -> GreyImage:
    """The image of a number, uint8 [SIZE, SIZE]."""
    rng = np.random.default_rng([7, number])
    middle = (SIZE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-40, 40), rng.uniform(0.7, 1.1))
    matrix[:, 2] += rng.uniform(-12, 12, 2)
    turned = cv2.warpAffine(rendered[rng.integers(len(rendered))], matrix, (SIZE, SIZE))
    field = cv2.resize(rng.uniform(0.15, 1.5, (7, 7)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(-6, 7, (SIZE, SIZE), np.int8)
    return np.clip(turned * field + noise, 0, 255).astype(np.uint8)
