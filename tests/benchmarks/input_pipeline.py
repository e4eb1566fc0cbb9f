"""Images a second that one core makes ready for training: ours from the cache, and as others write it.

The others end in float batches [B, 3, size, size]. Ours has floats made by the device, whose work is charged to it
here: [B, 1, size, size], which is what ``model=small_cnn`` takes, and, told apart, the three channels that timm's take.
One process, one thread, in turn; seconds are those of the core, so that other work on the machine changes little. Freed
memory is kept, for all of them, as in our trainings.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2
from charts import Bar, bars
from machine import groups_of, public_set
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.data.augmentation import Augmentation
from brain_tumor.data.cache.store import cached_images
from brain_tumor.data.dataset import EpochSampler, SliceDataset, TrainLoader, identity_collate
from brain_tumor.data.normalize import Normalize
from brain_tumor.data.phantom import draw_patients, render
from brain_tumor.training.memory import keep_freed_memory

ASKED = {"seed": 10.0, "albumentations": 3.0}
"""Times as many images a second as the others."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BATCH = 32
Batches = Callable[[], Iterable[Tensor]]


class Files(Dataset[tuple[Any, int]]):
    """Images read from their files at each look."""

    def __init__(self, paths: list[str], read: Callable[[str], Any]) -> None:
        self._paths, self._read = paths, read

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        return self._read(self._paths[row]), 0


def seed_pipeline(paths: list[str], size: int) -> Batches:
    """As the study writes it that this project started from."""
    transform = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomVerticalFlip(),
            transforms.RandomRotation(30),
            transforms.ToTensor(),
        ]
    )
    dataset = Files(paths, lambda path: transform(Image.open(path).convert("RGB")))
    return lambda: (images for images, _ in DataLoader(dataset, batch_size=_BATCH, shuffle=True))


def albumentations_pipeline(paths: list[str], size: int) -> Batches:
    """As its documentation writes it, with the steps of augmentation=light."""
    steps = [getattr(A, name)(**arguments) for name, arguments in light().items()]
    transform = A.Compose([A.Resize(size, size), *steps, A.Normalize(_MEAN, _STD), ToTensorV2()])

    def read(path: str) -> Tensor:
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        return transform(image=image)["image"]

    return lambda: (images for images, _ in DataLoader(Files(paths, read), batch_size=_BATCH, shuffle=True))


def our_pipeline(paths: list[str], size: int, cache_dir: Path, normalize: Normalize) -> Batches:
    """What training does, and what the device does then."""
    images, rows = cached_images(paths, size, cache_dir).images, np.arange(len(paths))
    dataset = SliceDataset(images, rows, np.zeros(len(paths), np.int64), Augmentation(light()))
    loader = TrainLoader(dataset, batch_size=_BATCH, sampler=EpochSampler(len(paths), 0), collate_fn=identity_collate)
    return lambda: (normalize(batch[0]) for batch in loader)


def light() -> dict[str, dict[str, Any]]:
    """Steps of conf/augmentation/light.yaml; ranges as albumentations takes them."""
    steps: dict[str, dict[str, Any]] = OmegaConf.to_container(
        OmegaConf.load(CONF_DIR / "augmentation" / "light.yaml").steps
    )
    return {
        name: {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
        for name, arguments in steps.items()
    }


def measure(sizes: tuple[int, ...] = (256, 128), count: int = 640, rounds: int = 5) -> dict[str, Any]:
    """Images a second and core of each pipeline at each size, and how many times as many ours makes."""
    root = public_set("nickparvar")
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder, one_thread():
        paths = write(real_pictures(root, count) if root else phantoms(count), Path(folder) / "files")
        kind = "of nickparvar, as large as their originals" if root else "generated phantoms of 512 px"
        result: dict[str, Any] = {"images": f"{count} {kind}, colour JPEG"}
        for size in sizes:
            pipelines = {
                "seed": seed_pipeline(paths, size),
                "albumentations": albumentations_pipeline(paths, size),
                "ours": our_pipeline(paths, size, Path(folder) / "cache", Normalize()),
                "ours, 3 channels": our_pipeline(paths, size, Path(folder) / "cache", Normalize(_MEAN, _STD)),
            }
            result[f"{size}px"] = compare(pipelines, rounds)
    return result


def compare(pipelines: dict[str, Batches], rounds: int) -> dict[str, Any]:
    """Epochs of each in turn; the first, which warms up, does not count."""
    rates: dict[str, list[float]] = {name: [] for name in pipelines}
    for turn in range(rounds + 1):
        for name, batches in pipelines.items():
            started = time.process_time()
            made = sum(len(batch) for batch in batches())
            if turn:
                rates[name].append(made / (time.process_time() - started))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "images_per_core_second": {name: round(value, 1) for name, value in medians.items()},
        "spread": {name: [round(min(values), 1), round(max(values), 1)] for name, values in rates.items()},
        "microseconds_an_image": {name: round(1e6 / value) for name, value in medians.items()},
        "times_as_many": {
            ours: {name: round(medians[ours] / medians[name], 2) for name in ASKED}
            for ours in medians
            if ours not in ASKED
        },
    }


class one_thread:  # noqa: N801 - read as a clause
    """One thread for torch and OpenCV inside, as many as before after it."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads(), cv2.getNumThreads()
        torch.set_num_threads(1)
        cv2.setNumThreads(1)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._before[0])
        cv2.setNumThreads(self._before[1])


def real_pictures(root: Path, count: int) -> Iterator[Image.Image]:
    """Some images of a public set, enlarged to what their originals measure: here they are kept at 256 px at most."""
    for row in groups_of(root).sample(count, random_state=0).itertuples():
        yield Image.open(root / row.path).resize((int(row.width), int(row.height)), Image.Resampling.BICUBIC)


def phantoms(count: int) -> Iterator[Image.Image]:
    """Generated images of the usual size of such files."""
    for patient in draw_patients(count, 0):
        yield Image.fromarray(render(patient, 0, 512)[0])


def write(images: Iterable[Image.Image], folder: Path) -> list[str]:
    """As the public sets are written: colour JPEG."""
    folder.mkdir()
    paths = []
    for number, image in enumerate(images):
        paths.append(str(folder / f"{number}.jpg"))
        image.convert("RGB").save(paths[-1], quality=90)
    return paths


def tell(result: dict[str, Any]) -> None:
    """Print what was measured against what is asked for."""
    print(f"  {result['images']}; one core, one thread")
    for size, one in result.items():
        if size == "images":
            continue
        for name, rate in one["images_per_core_second"].items():
            low, high = one["spread"][name]
            micros = one["microseconds_an_image"][name]
            print(f"    {size:<6} {name:<17}{rate:8.0f} images/s ({low:.0f} to {high:.0f}; {micros} µs an image)")
        for ours, times in one["times_as_many"].items():
            for name, least in ASKED.items():
                print(f"    {size:<6} {ours} / {name}: {times[name]} (asked: ≥ {least:g})")


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw medians of images a second and core, and how far the rounds lie around them."""
    panels = {}
    for size, one in result.items():
        if size != "images":
            rates = one["images_per_core_second"]
            least = max(times * rates[name] for name, times in ASKED.items())
            panels[size] = {
                name: Bar(rate, *one["spread"][name], None if name in ASKED else least) for name, rate in rates.items()
            }
    bars(path, "images/s made ready by one core", panels)


if __name__ == "__main__":
    tell(measure())
