"""Remarks of libraries that a user can do nothing about."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

REMARKS = (
    ".*does not have many workers.*",  # images for evaluation come out of memory: workers would only cost their start
    ".*smaller than the logging interval.*",  # metrics.csv has every epoch, however short
    ".*turning off the train dataloader shuffling.*",  # what debug=overfit is for
    ".*Checkpoint directory .* exists and is not empty.*",  # a run that is done again
    ".*sync_dist=True.*",  # what is logged has been computed over all ranks
    ".*`srun` command is available.*",  # a training on one machine of a cluster
    ".*isinstance\\(treespec, LeafSpec\\).*",  # Lightning 2.6 on torch >= 2.14
)


@contextmanager
def ignore_known_warnings() -> Iterator[None]:
    """Leave out `REMARKS` and Lightning's hints on hardware and products; warnings of substance pass."""
    lightning = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in lightning]
    with warnings.catch_warnings():
        for remark in REMARKS:
            warnings.filterwarnings("ignore", remark)
        for logger in lightning:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(lightning, levels, strict=True):
                logger.setLevel(level)
