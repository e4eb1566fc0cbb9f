"""From decoded images to batches: the dataset, the samplers that ranks share, the loader that resumes, its workers."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from brain_tumor.data.images import Images
from brain_tumor.data.masks import TumourMasks
from brain_tumor.errors import DataError
from brain_tumor.types import Floats, GreyImage, Rows

Draw = tuple[int, int]
"""A position in the dataset and the seed of its augmentation."""
Batch = tuple[Tensor, ...]
"""Images uint8 [B, 1, H, W], their classes int64 [B], their rows of the samples table int64 [B]; with tumour masks also
masks uint8 [B, H, W]."""


class SliceDataset(Dataset[Batch]):
    """Grey images with their classes, read and augmented per batch into one array.

    Loaders request whole batches (torch's ``__getitems__``) and need no collation, see `identity_collate`.

    Args:
        images: uint8 [M, H, W], all decoded images; indexing by rows returns copies.
        rows: int64 [N], rows of ``images`` that belong to this dataset.
        labels: int64 [N], their classes.
        augment: Function (image, seed) → image, applied to items that are requested as a `Draw`; with masks it has a
            method ``with_mask``, as `brain_tumor.data.augmentation.Augmentation`.
        masks: Masks of all images, or None.
    """

    def __init__(
        self,
        images: Images,
        rows: Rows,
        labels: Rows,
        augment: Callable[[GreyImage, int], GreyImage] | None = None,
        masks: TumourMasks | None = None,
    ) -> None:
        self._images, self._rows, self._labels, self._augment = images, rows, labels, augment
        self._masks = masks

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item: int | Draw) -> Batch:
        """Return one image uint8 [1, H, W], its class and its row, and with masks its mask."""
        return tuple(part[0] for part in self.__getitems__([item]))

    def __getitems__(self, items: Sequence[int | Draw]) -> Batch:
        """Return the batch of some positions or draws."""
        draws = np.array(items, np.int64).reshape(len(items), -1)
        positions = draws[:, 0]
        rows = self._rows[positions]
        images = self._images[rows]
        masks = None if self._masks is None else self._masks[rows]
        if self._augment and draws.shape[1] > 1:
            for index, seed in enumerate(draws[:, 1].tolist()):
                if masks is not None and masks[index].max() == 1:  # empty and unknown masks look the same anywhere
                    images[index], masks[index] = self._augment.with_mask(images[index], masks[index], seed)  # type: ignore[attr-defined]
                else:
                    images[index] = self._augment(images[index], seed)
        batch = (torch.from_numpy(images)[:, None], torch.from_numpy(self._labels[positions]), torch.from_numpy(rows))
        return batch if masks is None else (*batch, torch.from_numpy(masks))


def identity_collate(batch: Batch) -> Batch:
    """Return the batch unchanged: the ``collate_fn`` for `SliceDataset`, which returns whole batches."""
    return batch


class EpochSampler(Sampler[Draw]):
    """Shuffled or weighted draws that depend only on (seed, epoch), each with a seed for its augmentation.

    The draws of an epoch are distributed over the ranks in turn, so that all ranks together draw in each step what one
    process would draw. If the number of draws is not a multiple of the ranks, the last ones are dropped.

    Args:
        n: Size of the dataset, and number of draws per epoch.
        seed: Seed of the draws and of their augmentation seeds.
        weights: Weight of each sample float64 [N] for drawing with replacement; None draws each sample once.
        rank: Rank of this process, in [0, world_size).
        world_size: Number of processes.
    """

    def __init__(self, n: int, seed: int, weights: Floats | None = None, rank: int = 0, world_size: int = 1) -> None:
        self._n, self._seed, self._rank, self._world_size = n, seed, rank, world_size
        self._probabilities = None if weights is None else weights / weights.sum()
        self._epoch = 0
        self.skip = 0
        """Number of draws of this rank to skip at the start of the next epoch: those used before an interruption."""

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return max(1, self._n // self._world_size)

    def __iter__(self) -> Iterator[Draw]:
        rng = np.random.default_rng([self._seed, self._epoch])
        if self._probabilities is None:
            order = rng.permutation(self._n)
        else:
            order = rng.choice(self._n, self._n, p=self._probabilities)
        seeds = rng.integers(2**32, size=self._n)
        of_all_ranks = np.resize(np.arange(self._n), len(self) * self._world_size)
        of_this_rank = of_all_ranks[self._rank :: self._world_size][self.skip :]
        yield from zip(order[of_this_rank].tolist(), seeds[of_this_rank].tolist(), strict=True)


class DistributedBatchSampler(Sampler[list[int]]):
    """Whole batches in order, distributed over the ranks in turn.

    Each batch has the images that it has in one process, so that its logits are the same. If the number of batches is
    not a multiple of the ranks, the last ranks repeat the first batches, because a rank without a batch would block
    the others; the code that collects the predictions has to drop repeated rows.

    Args:
        n: Size of the dataset.
        batch_size: Size of all batches but the last.
        rank: Rank of this process, in [0, world_size).
        world_size: Number of processes.
    """

    def __init__(self, n: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        batches = [list(range(start, min(start + batch_size, n))) for start in range(0, n, batch_size)]
        steps = -(-len(batches) // world_size)
        self._batches = [batches[(step * world_size + rank) % len(batches)] for step in range(steps)]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)


class TrainLoader(DataLoader[Batch]):
    """Loader of training batches with an `EpochSampler`; its state is the number of batches it yielded in this epoch.

    It implements the protocol of torch's stateful loaders, which Lightning requires to resume within an epoch. If the
    schedule has asked for the number of steps, Lightning restores the state too late; therefore
    `brain_tumor.data.datamodule.ScanDataModule` saves and restores it.
    """

    sampler: EpochSampler
    _yielded = 0
    _skip = 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a generator: draws the order when it starts
        self._yielded, self._skip = self._skip, 0
        self.sampler.skip = self._yielded * (self.batch_size or 1)
        try:
            for batch in super().__iter__():
                self._yielded += 1
                yield batch
        except DataError as error:  # the message of a worker's error begins with its traceback
            raise DataError(str(error).rpartition("DataError: ")[2].strip()) from error

    def state_dict(self) -> dict[str, Any]:
        """Return ``{"batches": number of batches yielded in this epoch}``."""
        return {"batches": self._yielded}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next epoch start after the batches of a state."""
        self._skip = state["batches"] % len(self)


_MAX_WORKERS_ACCELERATOR = 8
_MAX_WORKERS_CPU = 2
"""More workers give no speedup: reading and lightly augmenting an image takes some 0.1 ms of a core."""
_CPU_CORES_PER_WORKER = 4
"""On a CPU with fewer cores per worker, training waits for cores longer than for data."""


def automatic_workers(processes: int, device: str, cores: int | None = None) -> tuple[int, str]:
    """Choose the number of loader workers per training process.

    Args:
        processes: Number of training processes on this machine, which share its cores.
        device: Device type of the training, as torch names it ("cpu", "cuda", …).
        cores: Number of cores; None counts those that this process may use.

    Returns:
        Number of workers, and the reason for it.
    """
    cores = cores or _usable_cores()
    cores_per_process = max(1, cores // processes)
    shares = f"{cores} cores for {processes} process{'es' * (processes > 1)}"
    if cores_per_process == 1:
        return 0, f"{shares}: none left for a worker"
    if device == "cpu":
        workers = min(_MAX_WORKERS_CPU, cores_per_process // _CPU_CORES_PER_WORKER)
        return workers, f"{shares}: training on the CPU needs {'most' if workers else 'all'} of them"
    workers = min(_MAX_WORKERS_ACCELERATOR, cores_per_process - 1)
    return workers, f"{shares}: one per process left for training, at most {_MAX_WORKERS_ACCELERATOR} workers"


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def init_worker(worker_id: int) -> None:  # noqa: ARG001 - signature of torch's worker_init_fn
    """Restrict a worker to one thread, as workers share the cores, and leave Ctrl-C to the process it works for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_one_opencv_thread()
    torch.set_num_threads(1)


def use_one_opencv_thread() -> None:
    """Restrict OpenCV in this process to one thread.

    Small images gain nothing from more threads, and on a CPU they delay torch, which trains on the same cores: by 4 ms
    of the 40 ms that a step of the small CNN took on 2 cores.
    """
    cv2.setNumThreads(0)
