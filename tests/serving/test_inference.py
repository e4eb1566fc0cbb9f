"""The one loop over batches: order, sizes, and how far it reads ahead."""

import numpy as np
import pytest

from brain_tumor.serving.engines import Outputs
from brain_tumor.serving.inference import infer


def engine(pixels):
    """Logits and features are the mean and the first pixel of each image."""
    assert pixels.dtype == np.uint8
    assert pixels.shape[1:] == (1, 4, 4)
    return Outputs(pixels.mean(axis=(2, 3)), pixels[:, :, 0, 0])


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (6, [3, 3]), (7, [3, 3, 1])])
def test_outputs_come_in_batches_in_the_order_of_the_images(count, sizes):
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 4), np.uint8)

    batches = list(infer(engine, images, 3))

    assert [len(outputs.logits) for outputs in batches] == sizes
    logits = [outputs.logits for outputs in batches]
    np.testing.assert_array_equal(np.concatenate([np.empty((0, 1)), *logits])[:, 0], images.mean(axis=(1, 2)))


def test_no_more_than_a_batch_is_read():
    read = []

    def images():
        for number in range(100):
            read.append(number)
            yield np.full((4, 4), number, np.uint8)

    batches = infer(engine, images(), 10)
    next(batches)
    assert len(read) == 10
    next(batches)
    assert len(read) == 20
