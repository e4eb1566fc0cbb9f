"""How near training comes to its floor, and how far ahead of its peers it is: images per second, in turns.

The floor is forward, backward and step on one batch that already lies in memory, in the same precision. It is run
between the epochs of our training, each of which is compared with what lies before and after it: the speed of a
shared machine wanders by more than what is measured here. All contenders train the same network at the same size of
image and batch on the same files; the peers in their own ways.

python tests/benchmarks/training.py [MODEL …]
"""

import json
import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning as L
import torch
from charts import Bar, bars
from lightning.pytorch.callbacks import Callback
from machine import training_images
from peers import Stopwatch, template_rates, timm_rates
from torch import Tensor, nn
from torch.optim import Optimizer

from brain_tumor.config.compose import compose
from brain_tumor.training import build as assemble
from brain_tumor.training.build_classifier import build_classifier
from brain_tumor.training.distributed.world import World
from brain_tumor.training.fit import fit
from brain_tumor.training.known_warnings import ignore_known_warnings
from brain_tumor.training.precision import HALF, resolve_precision

SIZE, BATCH, REPEATS = 128, 32, 3
EPOCHS = {"ours": 7, "peers": 3}
"""The first of each does not count."""
MODELS = {"cnn": (["model=small_cnn"], 1280), "resnet18": (["model=resnet18", "model.pretrained=false"], 192)}
"""Model → overrides, and images an epoch."""
PEERS = {"timm": timm_rates, "template": template_rates}
RUN = [
    "split=holdout", "split.val=0.05", "split.test=0.05", f"data.image_size={SIZE}", f"data.batch_size={BATCH}",
    f"trainer.max_epochs={EPOCHS['ours']}", "trainer.limit_val_batches=1", "callbacks=[]", "split.allow_leakage=true",
]  # fmt: skip
LONG = 10
"""Epochs of the comparison from the first file read to the end."""


def measure(models: tuple[str, ...] = tuple(MODELS), repeats: int = REPEATS) -> dict[str, Any]:
    """Train each model in turns with the floor and the peers."""
    return {model: _one(model, repeats) for model in models}


def _one(model: str, repeats: int) -> dict[str, Any]:
    overrides, number = MODELS[model]
    with tempfile.TemporaryDirectory() as folder:
        root = training_images(Path(folder) / "images", number)
        ours = Ours([*overrides, f"data.root={root}"], Path(folder))
        rates: dict[str, list[float]] = {name: [] for name in ("floor", "ours", *PEERS)}
        shares: list[float] = []
        for _ in range(repeats):
            epochs, floors = ours.train(number)
            rates["ours"].append(statistics.median(epochs))
            rates["floor"].append(statistics.median(floors))
            around = [statistics.mean(pair) for pair in pairwise(floors)]
            shares += [epoch / floor for epoch, floor in zip(epochs, around, strict=True)]
            for name, peer in PEERS.items():
                rates[name].append(_quietly(peer, ours.network(grey=model == "cnn"), root))
    median = {name: statistics.median(found) for name, found in rates.items()}
    seconds = {name: LONG * number / rate for name, rate in median.items()}
    return {
        "precision": ours.precision,
        "images_per_s": {name: [round(rate, 1) for rate in found] for name, found in rates.items()},
        "of_floor": round(statistics.median(shares), 3),
        "of_floor_by_epoch": [round(share, 3) for share in shares],
        "times_peer": {name: round(median["ours"] / median[name], 2) for name in PEERS},
        "reading_and_audit_s": round(ours.loaded_s, 1),
        f"times_peer_from_files_{LONG}_epochs": {
            name: round(seconds[name] / (seconds["ours"] + ours.loaded_s), 2) for name in PEERS
        },
    }


class Ours:
    """This package, as its command line would train."""

    def __init__(self, overrides: list[str], folder: Path) -> None:
        cache = f"paths.cache_dir={folder / 'cache'}"
        (folder / "run").mkdir()
        self._cfg = compose(["data=folder", *RUN, cache, *overrides], folder / "run")
        self._data = assemble.build_datamodule(self._cfg)
        started = time.perf_counter()
        self._data.load()
        self.loaded_s = time.perf_counter() - started
        self._classifier = build_classifier(self._cfg, self._data)
        self.precision = resolve_precision(self._cfg, self._classifier, World(1, 0, 1, "own"))

    def train(self, images: int) -> tuple[list[float], list[float]]:
        """Images per second of the epochs of a whole fit but the first, and of the floor around them (one more)."""
        data = assemble.build_datamodule(self._cfg)
        data.load()
        classifier, floor, watch = (
            build_classifier(self._cfg, data),
            self._baseline(images // BATCH),
            Stopwatch(),
        )
        trainer = assemble.build_trainer(self._cfg, [])
        trainer.callbacks += [watch, floor]
        with ignore_known_warnings():
            fit(trainer, classifier, data)
        return watch.rates[1:], floor.rates

    def _baseline(self, steps: int) -> "Floor":
        batch = torch.from_numpy(self._data.images[self._data.rows("train")[:BATCH]])[:, None]
        images = self._data.normalize(batch).contiguous(memory_format=torch.channels_last)
        classifier = build_classifier(self._cfg, self._data)
        optimizer = classifier._optimizer(classifier.network)
        return Floor(classifier.network, optimizer, images, steps, half=self._cfg.trainer.precision == HALF)

    def network(self, *, grey: bool) -> nn.Module:
        """The same network for a peer; grey ones get the first of its three channels."""
        network = build_classifier(self._cfg, self._data).network.to(memory_format=torch.contiguous_format)
        return First(network) if grey else network


class Floor(Callback):
    """Bare steps at the end of each epoch, on a network of their own."""

    def __init__(self, network: nn.Module, optimizer: Optimizer, images: Tensor, steps: int, *, half: bool) -> None:
        self._network, self._optimizer, self._images = network, optimizer, images
        self._steps, self._half = steps, half
        self._labels = torch.arange(len(images)) % 4
        self.rates: list[float] = []
        """Images per second after each epoch."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forward, backward, step, again and again."""
        started = time.perf_counter()
        for _ in range(self._steps):
            with torch.autocast("cpu", torch.bfloat16) if self._half else nullcontext():
                loss = nn.functional.cross_entropy(self._network(self._images), self._labels)
            loss.backward()
            self._optimizer.step()
            self._optimizer.zero_grad()
        self.rates.append(self._steps * len(self._images) / (time.perf_counter() - started))


class First(nn.Module):
    """Feeds a network the first channel."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] → logits."""
        return self.network(images[:, :1])  # type: ignore[no-any-return]


def _quietly(peer: Callable[..., list[float]], network: nn.Module, root: Path) -> float:
    with warnings.catch_warnings(), ignore_known_warnings():
        warnings.simplefilter("ignore")
        return statistics.median(peer(network, root, SIZE, BATCH, EPOCHS["peers"])[1:])


def tell(found: dict[str, Any]) -> None:
    """Print what was found against what is asked for."""
    for model, one in found.items():
        rates = {name: f"{statistics.median(rates):.0f}" for name, rates in one["images_per_s"].items()}
        print(f"  {model} at {SIZE} px, batch {BATCH}, {one['precision']}")
        print(f"    images/s: {', '.join(f'{name} {rate}' for name, rate in rates.items())}")
        low, _, high = statistics.quantiles(one["of_floor_by_epoch"])
        print(f"    {one['of_floor']:.0%} of the floor (quartiles {low:.0%}, {high:.0%}; asked: ≥ 90 %)")
        for name, times in one["times_peer"].items():
            whole = one[f"times_peer_from_files_{LONG}_epochs"][name]
            print(f"    {times} × {name} (asked: ≥ 1.3), {whole} × over {LONG} epochs with reading and audit")


def plot(found: dict[str, Any], path: Path) -> None:
    """Draw medians of images per second, and how far the repeats lie around them."""
    panels = {}
    for model, one in found.items():
        rates = one["images_per_s"]
        asked = {"ours": 0.9 * statistics.median(rates["floor"])}
        panels[f"{model}, {one['of_floor']:.0%} of the floor"] = {
            name: Bar(statistics.median(values), min(values), max(values), asked.get(name))
            for name, values in rates.items()
        }
    bars(path, f"images/s in training, {SIZE} px, batch {BATCH}", panels)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    result = measure(tuple(sys.argv[1:]) or tuple(MODELS))
    tell(result)
    print(json.dumps(result))
