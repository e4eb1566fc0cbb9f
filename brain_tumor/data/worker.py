"""What a loader's worker process needs before its first picture."""

import cv2
import torch


def start_worker(worker_id: int) -> None:  # noqa: ARG001 - torch's signature
    """Keep to one thread: the workers share the cores among themselves."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
