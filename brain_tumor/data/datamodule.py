"""The LightningDataModule: adapter → samples → images → split → batches."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import lightning as L
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader

from brain_tumor.data.cache.store import CacheMode
from brain_tumor.data.dataset import Batch, EpochSampler, SliceDataset, whole
from brain_tumor.data.duplicates.leakage import leakage, require_no_leakage
from brain_tumor.data.duplicates.pairs import distinct_images
from brain_tumor.data.images import Images
from brain_tumor.data.labels import random_labels as with_random_labels
from brain_tumor.data.loaders import DealtBatches, TrainLoader, automatic_workers, leave_cores_to_torch, start_worker
from brain_tumor.data.loading import OnError, load
from brain_tumor.data.normalize import Normalize
from brain_tumor.data.samples import SPLITS, data_digest
from brain_tumor.data.splits import check_split
from brain_tumor.errors import require

Augment = Callable[[npt.NDArray[np.uint8], int], npt.NDArray[np.uint8]]
Imbalance = Literal["none", "class_weights", "sampler"]
log = logging.getLogger(__name__)


class ScanDataModule(L.LightningDataModule):
    """Batches of (float32 [B, C, H, W], class int64 [B], row of ``samples`` int64 [B]).

    `load` may be called at any time, by whoever needs the classes or the table; Lightning calls it through the hooks.

    Args:
        adapter: Returns the samples table.
        split: Fills the table's ``split``, given its ``group``.
        augmentation: (image, seed) → image for training, None for none.
        cache_dir: Where decoded images are kept.
        cache: What becomes of them, see `brain_tumor.data.cache.store.cached_images`.
        cache_limit_gb: From how much on those used least recently go, None never.
        root: Folder of the data, where a ``groups.csv`` may lie.
        image_size: Side of the square images, in pixels.
        batch_size: Training batch per device.
        eval_batch_size: Validation and test batch.
        num_workers: Processes that load training batches; "auto" as `brain_tumor.data.loaders.automatic_workers` says.
        processes: Training processes on this machine, which share its cores.
        imbalance: "class_weights" offers ``class_weights`` to the loss, "sampler" draws classes equally often.
        on_error: "stop" at unreadable images or "skip" them; they are named in the log either way.
        allow_leakage: Go on with a split that puts a patient or an image on two sides, instead of stopping.
        random_labels: Give every group a random class: a control in which there is nothing to be learnt.
        seed: Decides order and augmentation.

    Attributes:
        samples: The table without unreadable images; ``sha256``, ``group`` and ``split`` (empty: in no part) filled.
        published: The sides that the data come with, before they are split here.
        classes: Class names, sorted.
        images: uint8 [N, H, W], one per row of ``samples``.
        labels: int64 [N], index into ``classes``.
        views: Fingerprints, uint8 [N, VIEWS, SIDE, SIDE].
        facts: How each file stores its image, see `brain_tumor.data.cache.decoding.Decoded`.
        entry: Folder of the cache that belongs to these images, None if nothing is written.
        counts: Images found, readable, distinct images among them, on each side of the split, and in no part of it.
        leakage: What crosses the split, see `brain_tumor.data.duplicates.leakage.leakage`.
        curation: Where groups came from that someone made before, or None.
        normalize: How grey bytes become network input; set it to what the network was made for.
        image_size: Side of the square images, in pixels.
        train_side: Side to which training batches are shrunk on the device, None for none.
    """

    samples: pd.DataFrame
    published: frozenset[str]
    classes: tuple[str, ...]
    images: Images
    labels: npt.NDArray[np.int64]
    views: Images
    facts: pd.DataFrame
    entry: Path | None
    counts: dict[str, int]
    leakage: list[dict[str, Any]]
    curation: dict[str, Any] | None

    def __init__(
        self,
        adapter: Callable[[], pd.DataFrame],
        split: Callable[[pd.DataFrame], pd.DataFrame],
        augmentation: Augment | None = None,
        *,
        cache_dir: Path,
        cache: CacheMode = "disk",
        cache_limit_gb: float | None = None,
        root: Path | None = None,
        image_size: int = 128,
        batch_size: int = 32,
        eval_batch_size: int = 128,
        num_workers: int | Literal["auto"] = "auto",
        processes: int = 1,
        imbalance: Imbalance = "none",
        on_error: OnError = "stop",
        allow_leakage: bool = False,
        random_labels: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"image_size": image_size, "batch_size": batch_size, "eval_batch_size": eval_batch_size}
        for name, value in sizes.items():
            require(isinstance(value, int) and value > 0, f"data.{name}={value}", "a whole number from 1")
        require(num_workers == "auto" or num_workers >= 0, f"data.num_workers={num_workers}", "auto or a number from 0")
        require(
            imbalance in get_args(Imbalance),
            f"data.imbalance={imbalance}",
            "one of " + ", ".join(get_args(Imbalance)),
        )
        require(cache in get_args(CacheMode), f"data.cache={cache}", "one of " + ", ".join(get_args(CacheMode)))
        require(on_error in get_args(OnError), f"data.on_error={on_error}", "one of " + ", ".join(get_args(OnError)))
        self._adapter, self._split, self._augmentation = adapter, split, augmentation
        self._loading: dict[str, Any] = {
            "cache_dir": cache_dir,
            "cache": cache,
            "cache_limit_gb": cache_limit_gb,
            "image_size": image_size,
            "on_error": on_error,
            "root": root,
        }
        self._allow_leakage, self._random_labels, self._seed = allow_leakage, random_labels, seed
        self._batch_size, self._eval_batch_size = batch_size, eval_batch_size
        self._num_workers, self._processes = num_workers, processes
        self._imbalance = imbalance
        self.normalize = Normalize()
        self.image_size = image_size
        self.train_side: int | None = None
        self._train_loader: TrainLoader | None = None
        self._resume: dict[str, Any] = {"batches": 0}

    def load(self) -> None:
        """Load, split, and prove that nothing stands on two sides; does nothing the second time.

        Raises:
            DataError: Whatever is wrong with the data, in one sentence.
        """
        if hasattr(self, "samples"):
            return
        data = load(self._adapter, **self._loading)
        samples = with_random_labels(data.samples, self._seed) if self._random_labels else data.samples
        self.published = frozenset(samples["split"])
        self.samples = self._split(samples)
        check_split(self.samples)
        self.leakage = leakage(self.samples, data.pairs)
        if not self._allow_leakage:
            require_no_leakage(self.leakage)
        self.images, self.views, self.facts = data.images, data.views, data.facts
        self.entry, self.curation = data.entry, data.curation
        self.classes = tuple(sorted(set(self.samples["label"])))
        self.labels = self.samples["label"].map(self.classes.index).to_numpy(np.int64)
        sides = self.samples["split"].value_counts()
        self.counts = {
            "found": len(data.samples) + len(data.unreadable),
            "readable": len(data.samples),
            "distinct": distinct_images(data.samples, data.pairs),
            **{side: int(sides[side]) for side in SPLITS},
            "left_out": int(sides.get("", 0)),
        }
        log.info("%d images of %d classes: %s", len(data.samples), len(self.classes), self.counts)

    def prepare_data(self) -> None:
        """Fill the cache once per machine, before other processes read it."""
        self.load()

    def setup(self, stage: str | None = None) -> None:
        """Load the data in this process."""
        self.load()

    @property
    def digest(self) -> str:
        """Digest of the labelled images, whatever their order and names."""
        return data_digest(self.samples)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Rows of ``samples`` on one side of the split, int64."""
        return np.flatnonzero(self.samples["split"] == split).astype(np.int64)

    @property
    def class_weights(self) -> list[float] | None:
        """Weight of each class in the loss (mean 1 over training images), or None if classes count as they come."""
        return self._balance().tolist() if self._imbalance == "class_weights" else None

    def _balance(self) -> npt.NDArray[np.float64]:
        """Weights n / (classes · n of the class), as scikit-learn's ``class_weight="balanced"``."""
        counts = np.bincount(self.labels[self.rows("train")], minlength=len(self.classes))
        return np.asarray(counts.sum() / (len(self.classes) * counts))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Augmented batches in an order decided by seed and epoch; an incomplete last batch is dropped."""
        rows = self.rows("train")
        weights = self._balance()[self.labels[rows]] if self._imbalance == "sampler" else None
        sampler = EpochSampler(len(rows), self._seed, weights, *self._place)
        workers = self._workers()
        if workers == 0:
            leave_cores_to_torch()
        self._train_loader = TrainLoader(
            self._dataset("train", self._augmentation),
            batch_size=self._batch_size,
            sampler=sampler,
            drop_last=len(sampler) > self._batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=start_worker,
            **self._common(),
        )
        self._train_loader.load_state_dict(self._resume)
        return self._train_loader

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints: how far the epoch is."""
        state = self._train_loader.state_dict() if self._train_loader else dict(self._resume)
        over = self.trainer is None or state["batches"] >= self.trainer.num_training_batches
        return {"batches": 0} if over else state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the first epoch begin where a checkpoint was saved."""
        self._resume = state_dict

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation images as they are, in the table's order, dealt out as `DealtBatches` says."""
        return self._eval_loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test images as they are, each once, in the table's order."""
        return self._eval_loader("test")

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """Validation and test, in this order."""
        return [self.val_dataloader(), self.test_dataloader()]

    def _eval_loader(self, split: str) -> DataLoader[Batch]:
        dataset = self._dataset(split)
        rank, ranks = self._place
        if ranks == 1:
            return DataLoader(dataset, batch_size=self._eval_batch_size, **self._common())
        batches = DealtBatches(len(dataset), self._eval_batch_size, rank, ranks)
        return DataLoader(dataset, batch_sampler=batches, **self._common())

    def _dataset(self, split: str, augmentation: Augment | None = None) -> SliceDataset:
        rows = self.rows(split)
        return SliceDataset(self.images, rows, self.labels[rows], augmentation)

    def _workers(self) -> int:
        if self._num_workers != "auto":
            return self._num_workers
        workers, reason = automatic_workers(self._processes, self._device)
        log.info("num_workers=%d (%s)", workers, reason)
        return workers

    @property
    def _device(self) -> str:
        """Kind of the device that is trained on."""
        return self.trainer.strategy.root_device.type if self.trainer else "cpu"

    @property
    def _place(self) -> tuple[int, int]:
        """Rank and number of ranks."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _common(self) -> dict[str, Any]:
        return {
            "collate_fn": whole,
            "generator": torch.Generator(),  # its own, so that the number of workers changes no other random draw
            "pin_memory": self._device == "cuda",
        }

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Normalise on the device; in training, shrink first if that is asked for."""
        images, labels, rows = batch
        if self.train_side not in (None, self.image_size) and self.trainer and self.trainer.training:
            images = interpolate(images.float(), self.train_side, mode="bilinear", antialias=True)
        return self.normalize(images), labels, rows
