"""Processes that load batches: how many, and what each needs before its first picture."""

import os

import cv2
import torch

_FOR_ACCELERATOR, _FOR_CPU = 8, 2
"""The most that pay: reading a picture and augmenting it lightly takes some 0.1 ms of a core."""
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

    Small pictures gain nothing from more, and where torch trains on the same cores those of the one hold up the other:
    a step of the own CNN on 2 cores took 4 ms of 40 longer.
    """
    cv2.setNumThreads(0)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
