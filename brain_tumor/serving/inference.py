"""The one loop over batches: grey images in, outputs of a network out."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from brain_tumor.serving.engines import Engine, Outputs
from brain_tumor.types import GreyImage

BATCH_SIZE = 32


def infer(engine: Engine, images: Iterable[GreyImage], batch_size: int = BATCH_SIZE) -> Iterator[Outputs]:
    """Run a network on images, a batch at a time.

    Args:
        engine: Engine that runs the network.
        images: Grey images uint8 [S, S] of the network's image size. One batch of them is held at a time, so that a
            generator may yield more than fit into memory; `brain_tumor.data.progress.progress` adds a progress bar.
        batch_size: Number of images per batch; the last one may be smaller.

    Yields:
        Outputs of each batch, in the order of the images.
    """
    remaining = iter(images)
    while batch := list(islice(remaining, batch_size)):
        yield engine(np.stack(batch)[:, None])
