"""Propose how to train on a data set: read from its audit, and measured on this machine."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig

from brain_tumor.config.compose import compose
from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.public.compare_with_published import check
from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError
from brain_tumor.models.protocol import channel_statistics, memory_format
from brain_tumor.pipelines.audit import audit
from brain_tumor.training.build_classifier import build_network

TRANSFER, SCRATCH = "transfer", "from_scratch"
"""Options of the group ``experiment`` that are proposed."""
_FEW_GROUPS = 150
"""Groups below which one test part holds too few patients to be trusted alone."""
_MANY_COPIES = 0.7
"""Share of distinct images below which training on one copy of each saves much time."""
_GPU_BATCHES = (32, 64, 128)
_FASTER = 0.9
"""Time per image, relative to a smaller batch, from which a larger one is worth it."""


@dataclass(frozen=True)
class Choice:
    """A proposed setting."""

    key: str
    """Key or group of the configuration."""
    value: str
    reason: str


def data_choices(place: Path) -> list[Choice]:
    """Choose the option of ``data`` for a folder or a manifest.

    Raises:
        DataError: There is no such file or folder.
    """
    path = place.expanduser().absolute()
    if path.is_file():
        return [
            Choice("data", "manifest", f"{path.name} is a file"),
            Choice("data.manifest", str(path), "the file that was given"),
        ]
    if not path.is_dir():
        raise DataError(f"{place} does not exist; give a folder of images, or a CSV file with path and label.")
    try:
        found = check(path, None)
        name = "" if found.difference else found.dataset.name
    except DataError:
        name = ""
    reason = f"as many images per class as {name} was published with" if name else "classes are its folders"
    return [Choice("data", name or "folder", reason), Choice("data.root", str(path), "the folder that was given")]


def audit_choices(document: Mapping[str, Any], samples: pd.DataFrame, published: bool) -> list[Choice]:
    """Choose the split, and what to do about faults of the images.

    Args:
        document: Content of ``audit.json``.
        samples: Samples table of the same data.
        published: Whether the audited split is a published one.
    """
    counts = document["counts"]
    groups, leaks = counts["groups"], _leaks(document)
    if published and not leaks:
        choices = [Choice("split", "official", "the published split keeps patients and duplicates together")]
    else:
        why = f"the published split leaks ({leaks})" if published else "no split is published"
        name = "kfold" if groups < _FEW_GROUPS else "grouped"
        few = f"; {groups} groups are few, so each fold is a test once" if name == "kfold" else ""
        choices = [Choice("split", name, f"{why}: {groups} groups stay together{few}")]
    if conflicts := document["label_conflicts"]["images"]:
        choices.append(Choice("data.label_conflicts", "leave_out", f"{conflicts} images appear under two classes"))
    if unreadable := len(document["unreadable"]):
        choices.append(Choice("data.on_error", "skip", f"{unreadable} images cannot be read"))
    if counts["distinct_images"] < _MANY_COPIES * counts["readable"]:
        reason = f"{counts['readable'] - counts['distinct_images']} of {counts['readable']} images are copies"
        choices.append(Choice("data.copies", "one", f"{reason}: training on one of each takes less time"))
    tumours = samples[samples["label"] != HEALTHY]
    masks = int((tumours["mask_path"] != "").sum())
    reason = f"{masks} of {len(tumours)} images of tumours have a mask" if masks else "no image has a mask"
    return [*choices, Choice("localizer", "map" if masks else "none", reason)]


def _leaks(document: Mapping[str, Any]) -> str:
    rows = [row for row in document["split"]["leakage"] if not row["class"] and row["split"] == "test" and row["group"]]
    worst = max(rows, key=lambda row: row["group"], default=None)
    return "" if worst is None else f"{worst['group']} of {worst['images']} test images share a patient or an image"


def audited(data: Sequence[Choice], run_dir: Path) -> tuple[dict[str, Any], pd.DataFrame, bool]:
    """Audit the chosen data; returns the document, the samples and whether the audited split is a published one."""
    cfg = compose([f"{choice.key}={quoted(choice.value)}" for choice in data], run_dir, "audit")
    document = audit(cfg)
    samples = read_table(run_dir / "samples.csv")
    return document, samples, document["split"]["name"].startswith("official")


def machine_choices(weights: Path | None, *, reachable: bool) -> list[Choice]:
    """Choose the recipe, and the batch size where it matters.

    Args:
        weights: Folder that holds ``mobilenetv2_100.safetensors``; None: not known.
        reachable: Whether weights can be downloaded, or were before.
    """
    choices = [Choice("experiment", TRANSFER, "a MobileNetV2 with ImageNet weights: the most accurate of our recipes")]
    if weights is not None:
        choices.append(Choice("model.weights", str(weights.expanduser().absolute()), "the folder that was given"))
    elif not reachable:
        choices = [Choice("experiment", SCRATCH, "ImageNet weights cannot be downloaded: the small CNN needs none")]
    if not torch.cuda.is_available():
        return [*choices, Choice("data.batch_size", "32", "the size that the recipes were tuned with")]
    batch, seconds = _fastest_batch(choices[0].value)
    reason = f"{1000 * seconds:.2f} ms per image; the largest of {', '.join(map(str, _GPU_BATCHES))} that is worth it"
    return [*choices, Choice("data.batch_size", str(batch), reason)]


def _fastest_batch(recipe: str) -> tuple[int, float]:
    best, fastest = _GPU_BATCHES[0], float("inf")
    for size in _GPU_BATCHES:
        try:
            seconds = seconds_per_image(_recipe(recipe), size, torch.device("cuda"))
        except torch.cuda.OutOfMemoryError:
            break
        if seconds < _FASTER * fastest:
            best, fastest = size, seconds
    return best, fastest


def expected_minutes(recipe: str, images: int) -> float:
    """Estimate the minutes of a training on this machine, from a few measured steps.

    Args:
        recipe: Option of the group ``experiment``.
        images: Number of training images.
    """
    cfg = _recipe(recipe)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return float(images * cfg.trainer.max_epochs * seconds_per_image(cfg, cfg.data.batch_size, device) / 60)


def _recipe(recipe: str) -> DictConfig:
    cfg = compose([f"experiment={recipe}"])
    if "pretrained" in cfg.model:
        cfg.model.pretrained = False
    return cfg


def seconds_per_image(cfg: DictConfig, batch_size: int, device: torch.device, steps: int = 4) -> float:
    """Measure forward and backward pass of a network with random weights and images; the fastest of some steps."""
    network = build_network(cfg, 4).train()
    layout = memory_format(network)
    network.to(device).to(memory_format=layout)  # as training does
    channels, size = len(channel_statistics(network)[0]), cfg.data.image_size
    images = torch.rand(batch_size, channels, size, size, device=device).contiguous(memory_format=layout)
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        loss = network(images).square().mean()
        loss.backward()
        loss.item()  # waits for the device
        times.append(time.perf_counter() - start)
    return min(times) / batch_size


def quoted(value: str) -> str:
    """Quote a value for the command line of Hydra, if it holds more than letters, digits and ``/._-``."""
    return value if all(character.isalnum() or character in "/._-" for character in value) else f"'{value}'"
