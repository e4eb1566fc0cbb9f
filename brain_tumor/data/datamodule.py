"""The LightningDataModule: from an adapter to samples, decoded images, a split and batches."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import lightning as L
import numpy as np
import pandas as pd
import torch
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader

from brain_tumor.data.cache.store import CacheMode
from brain_tumor.data.dataset import (
    Batch,
    DistributedBatchSampler,
    EpochSampler,
    SliceDataset,
    TrainLoader,
    automatic_workers,
    identity_collate,
    init_worker,
    use_one_opencv_thread,
)
from brain_tumor.data.duplicates.conflicts import LabelConflicts
from brain_tumor.data.images import Images
from brain_tumor.data.listing import Listing, file_counts
from brain_tumor.data.loaded_data import OnError, load
from brain_tumor.data.masks import TumourMasks, training_masks
from brain_tumor.data.normalize import Normalize
from brain_tumor.data.samples import data_digest
from brain_tumor.data.split_data import Copies, Split, SplitRules, split_data
from brain_tumor.errors import require
from brain_tumor.types import Floats, GreyImage, Rows

Augment = Callable[[GreyImage, int], GreyImage]
Imbalance = Literal["none", "class_weights", "sampler"]
log = logging.getLogger(__name__)


class ScanDataModule(L.LightningDataModule):
    """Batches of (float32 [B, C, H, W], class int64 [B], row of ``samples`` int64 [B]).

    `load` may be called at any time, for the classes or the table; Lightning calls it through its hooks.

    Args:
        adapter: Function that lists the samples, as a table alone or with the files left out.
        split: Function that fills the column ``split`` of a samples table with ``group``.
        augmentation: Function (image, seed) → image for training images, None for no augmentation.
        cache_dir: Folder of the cache of decoded images.
        cache: Storage of decoded images, see `brain_tumor.data.cache.store.cached_images`.
        cache_limit_gb: Limit of the cache in units of 10⁹ bytes, None for no limit.
        root: Folder of the data, which may contain a ``groups.csv``.
        masks: Another set that lends its masks, see `brain_tumor.data.lent_masks`.
        corrections: Table of corrected labels, see `brain_tumor.data.corrections`.
        image_size: Height and width of the images in pixels.
        batch_size: Size of training batches per device.
        eval_batch_size: Size of validation and test batches.
        num_workers: Processes that load training batches; "auto" for `brain_tumor.data.dataset.automatic_workers`.
        processes: Number of training processes on this machine, which share its cores.
        imbalance: "class_weights" provides ``class_weights`` for the loss, "sampler" draws classes equally often.
        on_error: "stop" at unreadable images, or "skip" them; the log names them in both cases.
        label_conflicts: "stop" at images that appear under two classes, "keep" or "leave_out" them.
        copies: "all" training images, or "one" of each image and its near-duplicates and mirrored ones.
        allow_leakage: Whether to continue with a split that has a patient or an image in two splits.
        random_labels: Whether each group gets a random class: a control in which nothing can be learnt.
        with_masks: Whether batches have tumour masks, too: uint8 [B, H, W], see `brain_tumor.data.masks.TumourMasks`.
        seed: Seed of order, augmentation and random labels.

    Attributes:
        samples: Table without unreadable images; ``sha256``, ``group`` and ``split`` (empty: in no split) are filled.
        published_splits: Values of ``split`` that the data come with.
        classes: Class names, sorted.
        images: uint8 [N, H, W], one per row of ``samples``.
        labels: int64 [N], index into ``classes``.
        views: Fingerprints, uint8 [N, VIEWS, SIDE, SIDE].
        facts: How each file stores its image, see `brain_tumor.data.cache.decoding.Decoded`.
        results: Folder of the cache for results on these images, None if nothing is written.
        masks: Tumour masks; None if they are not asked for, or no training image has one.
        files: Number of files, of those taken and, by reason, of those left out, see `listing.file_counts`.
        counts: Number of images found, readable, distinct, in each split, and in none.
        leakage: Images and patients in several splits, see `brain_tumor.data.duplicates.leakage.leakage`.
        curation: Source of curated groups, None without any.
        corrected: What the table of corrections changed, see `brain_tumor.data.corrections.correct`.
        normalize: Conversion of uint8 images to network input; set it to that of the network.
        train_image_size: Size to which training batches are shrunk on the device, None for full size.
    """

    samples: pd.DataFrame
    published_splits: frozenset[str]
    classes: tuple[str, ...]
    images: Images
    labels: Rows
    views: Images
    facts: pd.DataFrame
    results: Path | None
    masks: TumourMasks | None
    files: dict[str, Any]
    counts: dict[str, int]
    leakage: list[dict[str, Any]]
    curation: dict[str, Any] | None
    corrected: dict[str, Any]

    def __init__(
        self,
        adapter: Callable[[], Listing | pd.DataFrame],
        split: Split,
        augmentation: Augment | None = None,
        *,
        cache_dir: Path,
        cache: CacheMode = "disk",
        cache_limit_gb: float | None = None,
        root: Path | None = None,
        masks: str | None = None,
        corrections: str | None = None,
        image_size: int = 128,
        batch_size: int = 32,
        eval_batch_size: int = 128,
        num_workers: int | Literal["auto"] = "auto",
        processes: int = 1,
        imbalance: Imbalance = "none",
        on_error: OnError = "stop",
        label_conflicts: LabelConflicts = "stop",
        copies: Copies = "all",
        allow_leakage: bool = False,
        random_labels: bool = False,
        with_masks: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"image_size": image_size, "batch_size": batch_size, "eval_batch_size": eval_batch_size}
        for name, value in sizes.items():
            require(isinstance(value, int) and value > 0, f"data.{name}={value}", "a whole number from 1")
        require(num_workers == "auto" or num_workers >= 0, f"data.num_workers={num_workers}", "auto or a number from 0")
        for name, choice, options in (
            ("imbalance", imbalance, Imbalance),
            ("cache", cache, CacheMode),
            ("on_error", on_error, OnError),
            ("label_conflicts", label_conflicts, LabelConflicts),
            ("copies", copies, Copies),
        ):
            require(choice in get_args(options), f"data.{name}={choice}", "one of " + ", ".join(get_args(options)))
        self._adapter, self._augmentation = adapter, augmentation
        self._rules = SplitRules(split, label_conflicts, copies, allow_leakage, random_labels, seed)
        self._loading: dict[str, Any] = {
            "cache_dir": cache_dir,
            "cache": cache,
            "cache_limit_gb": cache_limit_gb,
            "image_size": image_size,
            "on_error": on_error,
            "root": root,
            "masks": masks,
            "corrections": corrections,
        }
        self._with_masks, self._seed = with_masks, seed
        self.batch_size, self._eval_batch_size = batch_size, eval_batch_size
        self._num_workers, self._processes = num_workers, processes
        self._imbalance = imbalance
        self.normalize = Normalize()
        self.image_size = image_size
        self.train_image_size: int | None = None
        self._train_loader: TrainLoader | None = None
        self._resume_state: dict[str, Any] = {"batches": 0}

    def load(self) -> None:
        """Load and split the data, and check the split for leakage; does nothing if the data are loaded.

        Raises:
            DataError: The data cannot be used; the message is one sentence.
        """
        if hasattr(self, "samples"):
            return
        data = load(self._adapter, **self._loading)
        for name, value in vars(split_data(data, self._rules)).items():
            setattr(self, name, value)
        self.images, self.views, self.facts = data.images, data.views, data.facts
        self.results, self.curation, self.corrected = data.results, data.curation, data.corrected
        stored = data.results, self._loading["cache_dir"]
        self.masks = training_masks(self.samples, self.image_size, *stored) if self._with_masks else None
        self.files = file_counts(data.files)

    def prepare_data(self) -> None:
        """Load the data in one process per machine, which fills the cache before the other processes read it."""
        self.load()

    def setup(self, stage: str | None = None) -> None:
        """Load the data in this process."""
        self.load()

    @property
    def digest(self) -> str:
        """Digest of the labelled images, independent of their order and names."""
        return data_digest(self.samples)

    def rows(self, split: str) -> Rows:
        """Return the rows of ``samples`` in a split, int64."""
        return np.flatnonzero(self.samples["split"] == split).astype(np.int64)

    @property
    def class_weights(self) -> list[float] | None:
        """Weight of each class in the loss (mean 1 over training images), None for an unweighted loss."""
        return self._balanced_weights().tolist() if self._imbalance == "class_weights" else None

    def _balanced_weights(self) -> Floats:
        """Compute n / (number of classes · n of the class), as scikit-learn's ``class_weight="balanced"``."""
        counts = np.bincount(self.labels[self.rows("train")], minlength=len(self.classes))
        return np.asarray(counts.sum() / (len(self.classes) * counts))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of augmented batches, ordered by seed and epoch; an incomplete last batch is dropped."""
        rows = self.rows("train")
        weights = self._balanced_weights()[self.labels[rows]] if self._imbalance == "sampler" else None
        sampler = EpochSampler(len(rows), self._seed, weights, *self._rank_and_world_size)
        workers = self._workers()
        if workers == 0:
            use_one_opencv_thread()
        self._train_loader = TrainLoader(
            self._dataset("train", self._augmentation),
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=len(sampler) > self.batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=init_worker,
            **self._loader_options(),
        )
        self._train_loader.load_state_dict(self._resume_state)
        return self._train_loader

    def state_dict(self) -> dict[str, Any]:
        """Return the progress within the epoch, for checkpoints."""
        state = self._train_loader.state_dict() if self._train_loader else dict(self._resume_state)
        is_finished = self.trainer is None or state["batches"] >= self.trainer.num_training_batches
        return {"batches": 0} if is_finished else state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the first epoch continue where a checkpoint was saved."""
        self._resume_state = state_dict

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of validation images, not augmented and in the order of the table."""
        return self._eval_loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of test images, not augmented and in the order of the table."""
        return self._eval_loader("test")

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the loaders of validation and test, in this order."""
        return [self.val_dataloader(), self.test_dataloader()]

    def _eval_loader(self, split: str) -> DataLoader[Batch]:
        dataset = self._dataset(split)
        rank, world_size = self._rank_and_world_size
        if world_size == 1:
            return DataLoader(dataset, batch_size=self._eval_batch_size, **self._loader_options())
        batches = DistributedBatchSampler(len(dataset), self._eval_batch_size, rank, world_size)
        return DataLoader(dataset, batch_sampler=batches, **self._loader_options())

    def _dataset(self, split: str, augmentation: Augment | None = None) -> SliceDataset:
        rows = self.rows(split)
        return SliceDataset(self.images, rows, self.labels[rows], augmentation, self.masks)

    def _workers(self) -> int:
        if self._num_workers != "auto":
            return self._num_workers
        workers, reason = automatic_workers(self._processes, self._device)
        log.info("num_workers=%d (%s)", workers, reason)
        return workers

    @property
    def _device(self) -> str:
        """Type of the device that is trained on."""
        return self.trainer.strategy.root_device.type if self.trainer else "cpu"

    @property
    def _rank_and_world_size(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _loader_options(self) -> dict[str, Any]:
        return {
            "collate_fn": identity_collate,
            "generator": torch.Generator(),  # a separate one, so that the number of workers changes no other draws
            "pin_memory": self._device == "cuda",
        }

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Normalise a batch on the device; in training, first shrink it to ``train_image_size``."""
        images, *rest = batch
        if self.train_image_size not in (None, self.image_size) and self.trainer and self.trainer.training:
            images = interpolate(images.float(), self.train_image_size, mode="bilinear", antialias=True)
        return self.normalize(images), *rest
