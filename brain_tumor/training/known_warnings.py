"""Warnings of libraries that a user can do nothing about."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

KNOWN_WARNINGS = (
    ".*does not have many workers.*",  # images for evaluation come from memory: workers would only cost their start
    ".*smaller than the logging interval.*",  # metrics.csv has every epoch, however short
    ".*turning off the train dataloader shuffling.*",  # the purpose of debug=overfit
    ".*Checkpoint directory .* exists and is not empty.*",  # a run that is repeated
    ".*callbacks used to create the checkpoint need to be provided.*",  # left out on resuming, where that is allowed
    ".*sync_dist=True.*",  # logged values have been computed over all ranks
    ".*`srun` command is available.*",  # training on one machine of a cluster
    ".*isinstance\\(treespec, LeafSpec\\).*",  # Lightning 2.6 on torch >= 2.14
)


@contextmanager
def ignore_known_warnings() -> Iterator[None]:
    """Ignore `KNOWN_WARNINGS`, Lightning's hints on hardware and products and timm's on weights; others pass."""
    hinting = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "timm")]
    levels = [logger.level for logger in hinting]
    with warnings.catch_warnings():
        for pattern in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", pattern)
        for logger in hinting:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(hinting, levels, strict=True):
                logger.setLevel(level)
