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
    ".*sync_dist=True.*",  # logged values have been computed over all ranks
    ".*`srun` command is available.*",  # training on one machine of a cluster
    ".*isinstance\\(treespec, LeafSpec\\).*",  # Lightning 2.6 on torch >= 2.14
)


@contextmanager
def ignore_known_warnings() -> Iterator[None]:
    """Ignore `KNOWN_WARNINGS` and Lightning's hints on hardware and products; all other warnings pass."""
    lightning = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in lightning]
    with warnings.catch_warnings():
        for pattern in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", pattern)
        for logger in lightning:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(lightning, levels, strict=True):
                logger.setLevel(level)
