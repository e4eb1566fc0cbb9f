"""Images by row, and the order in which training draws them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from brain_tumor.data.images import Images
from brain_tumor.types import GreyImage, Rows

Draw = tuple[int, int]
"""A row of the dataset and the seed of its augmentation."""
Batch = tuple[Tensor, Tensor, Tensor]
"""Images uint8 [B, 1, H, W], their classes int64 [B], their rows of the samples table int64 [B]."""


class SliceDataset(Dataset[Batch]):
    """Grey images with their class, read and augmented batch by batch into one array.

    Loaders ask for whole batches (torch's ``__getitems__``) and take them as they are, see `whole`.

    Args:
        images: uint8 [M, H, W], all decoded images; indexed by rows, it gives a copy of them.
        rows: int64 [N], the rows of ``images`` that belong to this dataset.
        labels: int64 [N], their classes.
        augment: (image, seed) → image, applied to items asked for as a `Draw`.
    """

    def __init__(
        self,
        images: Images,
        rows: Rows,
        labels: Rows,
        augment: Callable[[GreyImage, int], GreyImage] | None = None,
    ) -> None:
        self._images, self._rows, self._labels, self._augment = images, rows, labels, augment

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item: int | Draw) -> Batch:
        """One image uint8 [1, H, W], its class, its row."""
        images, labels, rows = self.__getitems__([item])
        return images[0], labels[0], rows[0]

    def __getitems__(self, items: Sequence[int | Draw]) -> Batch:
        """The batch of some positions or draws."""
        places = np.array(items, np.int64).reshape(len(items), -1)
        rows = self._rows[places[:, 0]]
        images = self._images[rows]
        if self._augment and places.shape[1] > 1:
            for place, seed in enumerate(places[:, 1].tolist()):
                images[place] = self._augment(images[place], seed)
        labels = self._labels[places[:, 0]]
        return torch.from_numpy(images)[:, None], torch.from_numpy(labels), torch.from_numpy(rows)


def whole(batch: Batch) -> Batch:
    """For a loader's ``collate_fn``: `SliceDataset` hands out whole batches, nothing is left to put together."""
    return batch


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
