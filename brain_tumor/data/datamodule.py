"""The LightningDataModule: adapter → samples → pictures → split → batches."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import lightning as L
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from brain_tumor.data.cache import cached_images
from brain_tumor.data.dataset import EpochSampler, SliceDataset
from brain_tumor.data.grouping import linked_groups
from brain_tumor.data.normalize import Normalize
from brain_tumor.data.samples import SPLITS, data_digest
from brain_tumor.data.splitting import check_classes, check_split, overlap
from brain_tumor.data.worker import start_worker
from brain_tumor.errors import DataError, require

OnError = Literal["stop", "skip"]
Imbalance = Literal["none", "class_weights", "sampler"]
Batch = tuple[Tensor, Tensor, Tensor]
log = logging.getLogger(__name__)


class ScanDataModule(L.LightningDataModule):
    """Batches of (float32 [B, C, H, W], class int64 [B], row of ``samples`` int64 [B]).

    `load` may be called at any time, by whoever needs the classes or the table; Lightning calls it through the hooks.

    Args:
        adapter: Returns the samples table.
        split: Fills the table's ``split``, given its ``group``.
        augmentation: (picture, seed) → picture for training, None for none.
        cache_dir: Where decoded pictures are kept.
        image_size: Side of the square pictures, in pixels.
        batch_size: Training batch per device.
        eval_batch_size: Validation and test batch.
        num_workers: Processes that load batches; "auto" leaves one core to training and takes 8 at most.
        imbalance: "class_weights" offers ``class_weights`` to the loss, "sampler" draws classes equally often.
        on_error: "stop" at unreadable images or "skip" them; they are named in the log either way.
        seed: Decides order and augmentation.

    Attributes:
        samples: The table, with ``sha256``, ``group`` and ``split`` filled, unreadable images left out.
        classes: Class names, sorted.
        images: uint8 [N, H, W], one per row of ``samples``.
        labels: int64 [N], index into ``classes``.
        counts: Images found, readable, and on each side of the split.
        overlap: Val and test images whose group stands in training too (possible where the
            split came with the data).
        normalize: How grey bytes become network input; set it to what the network was made for.
    """

    samples: pd.DataFrame
    classes: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    counts: dict[str, int]
    overlap: int

    def __init__(
        self,
        adapter: Callable[[], pd.DataFrame],
        split: Callable[[pd.DataFrame], pd.DataFrame],
        augmentation: Callable[[npt.NDArray[np.uint8], int], npt.NDArray[np.uint8]] | None = None,
        *,
        cache_dir: Path,
        image_size: int = 128,
        batch_size: int = 32,
        eval_batch_size: int = 128,
        num_workers: int | Literal["auto"] = "auto",
        imbalance: Imbalance = "none",
        on_error: OnError = "stop",
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
        require(on_error in get_args(OnError), f"data.on_error={on_error}", "one of " + ", ".join(get_args(OnError)))
        self._adapter, self._split, self._augmentation = adapter, split, augmentation
        self._cache_dir, self._image_size, self._seed = cache_dir, image_size, seed
        self._batch_size, self._eval_batch_size = batch_size, eval_batch_size
        self._num_workers = min(8, max(1, (os.cpu_count() or 1) - 1)) if num_workers == "auto" else num_workers
        self._imbalance, self._on_error = imbalance, on_error
        self.normalize = Normalize()

    def load(self) -> None:
        """Read the catalog, decode what is not in the cache, group and split; does nothing the second time.

        Raises:
            DataError: Whatever is wrong with the data, in one sentence.
        """
        if hasattr(self, "samples"):
            return
        found = self._adapter()
        cache = cached_images(found["path"].tolist(), self._image_size, self._cache_dir)
        readable = self._readable(cache.facts)
        samples = found.assign(sha256=cache.facts["sha256"])[readable]
        check_classes(samples)
        groups = linked_groups(samples["group"], samples["patient_id"], cache.facts["pixels"][readable])
        samples = self._split(samples.assign(group=groups.astype(str)))
        check_split(samples)
        self.overlap = overlap(samples)
        self.images = cache.images if readable.all() else cache.images[readable]
        self.samples = samples.reset_index(drop=True)
        self.classes = tuple(sorted(set(samples["label"])))
        self.labels = samples["label"].map(self.classes.index).to_numpy(np.int64)
        sides = samples["split"].value_counts()
        self.counts = {
            "found": len(found),
            "readable": len(samples),
            **{side: int(sides[side]) for side in SPLITS},
        }
        log.info("%d images of %d classes: %s", len(samples), len(self.classes), self.counts)

    def _readable(self, facts: pd.DataFrame) -> npt.NDArray[np.bool_]:
        errors = facts["error"][facts["error"] != ""]
        if len(errors) and self._on_error == "stop":
            raise DataError(
                f"{len(errors)} of {len(facts)} images cannot be read, first: {errors.iloc[0]} "
                "Mend or remove them, or leave them out with data.on_error=skip."
            )
        for error in errors:
            log.warning("Left out: %s", error)
        return (facts["error"] == "").to_numpy()

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
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = EpochSampler(len(rows), self._seed, weights, rank, world_size)
        return self._loader(
            "train", self._batch_size, self._num_workers, sampler, drop_last=len(sampler) > self._batch_size
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation pictures as they are, each once, in the table's order."""
        return self._loader("val", self._eval_batch_size)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test pictures as they are, each once, in the table's order."""
        return self._loader("test", self._eval_batch_size)

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """Validation and test, in this order."""
        return [self.val_dataloader(), self.test_dataloader()]

    def _loader(
        self,
        split: str,
        batch_size: int,
        num_workers: int = 0,
        sampler: Sampler[Any] | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Batch]:
        rows = self.rows(split)
        dataset = SliceDataset(self.images, rows, self.labels[rows], self._augmentation if sampler else None)
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            worker_init_fn=start_worker,
            generator=torch.Generator(),  # its own, so that the number of workers changes no other random draw
            pin_memory=bool(self.trainer and self.trainer.strategy.root_device.type == "cuda"),
        )

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Normalise on the device."""
        images, labels, rows = batch
        return self.normalize(images), labels, rows
