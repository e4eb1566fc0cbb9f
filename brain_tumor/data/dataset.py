"""Pictures by row, and the order in which training draws them."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

Picture = npt.NDArray[np.uint8]
Draw = tuple[int, int]
"""A row of the dataset and the seed of its augmentation."""


class SliceDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Grey pictures with their class; items are (uint8 [1, H, W], class int64, row of the samples table int64).

    Args:
        images: uint8 [M, H, W], all decoded pictures (a memory map does).
        rows: int64 [N], the rows of ``images`` that belong to this dataset.
        labels: int64 [N], their classes.
        augment: (picture, seed) → picture, applied to items asked for as a `Draw`.
    """

    def __init__(
        self,
        images: Picture,
        rows: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        augment: Callable[[Picture, int], Picture] | None = None,
    ) -> None:
        self._images, self._rows, self._labels, self._augment = images, rows, labels, augment

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item: int | Draw) -> tuple[Tensor, Tensor, Tensor]:
        position, seed = item if isinstance(item, tuple) else (item, None)
        row = self._rows[position]
        image = np.array(self._images[row])  # the map is read-only, and tensors are not
        if self._augment and seed is not None:
            image = self._augment(image, seed)
        return torch.from_numpy(image)[None], torch.tensor(self._labels[position]), torch.tensor(row)


class EpochSampler(Sampler[Draw]):
    """Shuffled or weighted draws, decided by (seed, epoch) alone, each with its own augmentation seed.

    The draws of one epoch are dealt out to the ranks in turn, so that what they draw together in a step is what one
    process would have drawn; if they do not come out even, the last are left out.

    Args:
        n: Size of the dataset, and number of draws an epoch.
        seed: Same seed, same draws.
        weights: float [N] of drawing each sample (with replacement); None draws each once.
        rank: This process, in [0, world_size).
        world_size: Number of processes.
    """

    def __init__(
        self,
        n: int,
        seed: int,
        weights: npt.NDArray[np.float64] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._n, self._seed, self._rank, self._world_size = n, seed, rank, world_size
        self._chances = None if weights is None else weights / weights.sum()
        self._epoch = 0
        self.skip = 0
        """Draws of this rank that the next epoch leaves out at its start: those trained on before an interruption."""

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return max(1, self._n // self._world_size)

    def __iter__(self) -> Iterator[Draw]:
        rng = np.random.default_rng([self._seed, self._epoch])
        order = rng.permutation(self._n) if self._chances is None else rng.choice(self._n, self._n, p=self._chances)
        seeds = rng.integers(2**32, size=self._n)
        mine = np.resize(np.arange(self._n), len(self) * self._world_size)[self._rank :: self._world_size]
        yield from zip(order[mine].tolist()[self.skip :], seeds[mine].tolist()[self.skip :], strict=True)
