"""Where the benchmark runs: the machine, the versions, the public data sets."""

import os
import platform
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import pandas as pd

from brain_tumor.data.cache.store import ImageCache, cached_images
from brain_tumor.data.phantom import draw_patients, render

IMAGE_SIZE = 128
"""As in conf/audit.yaml, so that the cache is shared with it."""


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{
            name: version(name)
            for name in ("torch", "lightning", "timm", "numpy", "faiss-cpu", "opencv-python-headless")
        },
    }


def memory_peak() -> int:
    """The most resident memory this process had since `forget_peak`, in bytes."""
    for line in _lines("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def resident() -> dict[str, int]:
    """Resident memory of this process now, bytes: its own (``anonymous``), of mapped files, and shared."""
    kinds = {"RssAnon": "anonymous", "RssFile": "file", "RssShmem": "shared"}
    fields = (line.split() for line in _lines("/proc/self/status"))
    return {kinds[name[:-1]]: int(value[0]) * 1024 for name, *value in fields if name[:-1] in kinds}


def forget_peak() -> None:
    """Let `memory_peak` start from what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).is_file() else []


def public_set(name: str) -> Path | None:
    """Folder of a public data set, where this machine has it."""
    shared = os.environ.get("BRAIN_TUMOR_SHARED", "")
    folder = Path(shared) / "data" / name
    return folder if shared and (folder / "groups.csv").is_file() else None


def on_sets(names: tuple[str, ...], measure: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Measure those public sets that are at hand."""
    results = {}
    for name in names:
        root = public_set(name)
        if root is None:
            print(f"  {name} is left out: BRAIN_TUMOR_SHARED names no folder with data/{name}.")
        else:
            results[name] = measure(root)
    return results


def groups_of(root: Path) -> pd.DataFrame:
    """``groups.csv``, all columns as text; ``path`` names the file here, where all were stored as JPEG."""
    groups = pd.read_csv(root / "groups.csv", dtype=str, keep_default_na=False)
    return groups.assign(path=[path if (root / path).is_file() else f"{path}.jpg" for path in groups["path"]])


def training_images(folder: Path, number: int) -> Path:
    """A folder of class folders with about so many JPEG files: of nickparvar where it is at hand, else phantoms."""
    root = public_set("nickparvar")
    if root:
        groups = groups_of(root).query("published_split == 'train'").sample(number, random_state=0)
        for label, path in zip(groups["class"], groups["path"], strict=True):
            (folder / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(root / path, folder / label)
        return folder
    for row, patient in enumerate(draw_patients(number, 0)):
        image, label = render(patient, 0, 256)[0], patient.label
        (folder / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / label / f"{row}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return folder


def decoded(root: Path, groups: pd.DataFrame) -> ImageCache:
    """The images of a public set in the order of its groups.csv, from the cache if they are in it."""
    cache = Path(os.environ.get("BRAIN_TUMOR_CACHE", Path.home() / ".cache" / "brain-tumor"))
    return cached_images([str(root / path) for path in groups["path"]], IMAGE_SIZE, cache)
