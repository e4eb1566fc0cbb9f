"""Data loaders that ranks share and that resume mid-epoch, and their worker processes."""

import os
from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from brain_tumor.data.dataset import Batch, EpochSampler
from brain_tumor.errors import DataError


class DealtBatches(Sampler[list[int]]):
    """Whole batches in order, dealt out to the ranks in turn: each is made up as in one process, so its logits are too.

    If they do not come out even, the last ranks repeat the first batches: a rank without any would leave the others
    waiting. Whoever collects the predictions drops repeated rows.

    Args:
        n: Size of the dataset.
        batch_size: Of all batches but the last.
        rank: This process, in [0, world_size).
        world_size: Number of processes.
    """

    def __init__(self, n: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        batches = [list(range(start, min(start + batch_size, n))) for start in range(0, n, batch_size)]
        rounds = -(-len(batches) // world_size)
        self._mine = [batches[(turn * world_size + rank) % len(batches)] for turn in range(rounds)]

    def __len__(self) -> int:
        return len(self._mine)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._mine)


class TrainLoader(DataLoader[Batch]):
    """Batches of an `EpochSampler`; its state is the number of batches handed out in this epoch.

    The protocol of torch's stateful loaders, which Lightning asks for before it resumes within an epoch. It hands the
    state back too late where the schedule has asked for the number of steps: the data module does so in its stead.
    """

    sampler: EpochSampler
    _handed_out = 0
    _skip = 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a generator: it asks for the order when it starts
        self._handed_out, self._skip = self._skip, 0
        self.sampler.skip = self._handed_out * (self.batch_size or 1)
        try:
            for batch in super().__iter__():
                self._handed_out += 1
                yield batch
        except DataError as error:  # a worker's comes with its traceback before it
            raise DataError(str(error).rpartition("DataError: ")[2].strip()) from error

    def state_dict(self) -> dict[str, Any]:
        """``{"batches": handed out in this epoch}``."""
        return {"batches": self._handed_out}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next epoch begin after that many batches."""
        self._skip = state["batches"] % len(self)


_FOR_ACCELERATOR, _FOR_CPU = 8, 2
"""The most that pay: reading an image and augmenting it lightly takes some 0.1 ms of a core."""
_CORES_TO_SPARE = 4
"""A CPU that trains has a core for a worker in this many; with fewer, training waits for cores longer than for data."""


def automatic_workers(processes: int, device: str, cores: int | None = None) -> tuple[int, str]:
    """How many workers each training process gets, and why.

    Args:
        processes: Training processes on this machine, which share its cores.
        device: What they train on, as torch names its kind.
        cores: Of the machine; None counts those that this process may use.
    """
    cores = cores or _usable_cores()
    share = max(1, cores // processes)
    many = f"{cores} cores for {processes} process{'es' * (processes > 1)}"
    if share == 1:
        return 0, f"{many}: none is left to load beside training"
    if device == "cpu":
        workers = min(_FOR_CPU, share // _CORES_TO_SPARE)
        return workers, f"{many}: training on the CPU needs {'most of them' if workers else 'them all'}"
    return min(_FOR_ACCELERATOR, share - 1), f"{many}: one left to training, {_FOR_ACCELERATOR} at most"


def start_worker(worker_id: int) -> None:  # noqa: ARG001 - torch's signature
    """Keep to one thread: the workers share the cores among themselves."""
    leave_cores_to_torch()
    torch.set_num_threads(1)


def leave_cores_to_torch() -> None:
    """Keep OpenCV in this process to one thread.

    Small images gain nothing from more, and where torch trains on the same cores those of the one hold up the other:
    a step of the small CNN on 2 cores took 4 ms of 40 longer.
    """
    cv2.setNumThreads(0)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
