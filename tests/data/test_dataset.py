import numpy as np
import torch

from brain_tumor.data.dataset import EpochSampler, SliceDataset

IMAGES = np.arange(4 * 6 * 6, dtype=np.uint8).reshape(4, 6, 6)


def test_items_are_picture_class_and_row():
    dataset = SliceDataset(IMAGES, np.array([3, 1]), np.array([7, 8]))

    image, label, row = dataset[1]

    assert image.dtype == torch.uint8
    np.testing.assert_array_equal(image, IMAGES[1][None])
    assert (label.item(), row.item(), len(dataset)) == (8, 1, 2)


def test_only_draws_are_augmented():
    dataset = SliceDataset(IMAGES, np.array([0]), np.array([0]), augment=lambda image, seed: image + seed)

    np.testing.assert_array_equal(dataset[0][0][0], IMAGES[0])
    np.testing.assert_array_equal(dataset[(0, 5)][0][0], IMAGES[0] + 5)


def test_batches_are_their_items():
    dataset = SliceDataset(IMAGES, np.array([3, 1, 2]), np.array([7, 8, 9]), augment=lambda image, seed: image + seed)

    for items in ([2, 0], [(2, 5), (0, 9), (2, 6)]):
        batch = dataset.__getitems__(items)

        for part, parts in zip(batch, zip(*map(dataset.__getitem__, items), strict=True), strict=True):
            torch.testing.assert_close(part, torch.stack(parts))
    assert IMAGES[2, 0, 0] == 72


def test_each_epoch_is_another_permutation_with_other_seeds():
    sampler = EpochSampler(50, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)

    assert sorted(row for row, _ in first) == sorted(row for row, _ in second) == list(range(50))
    assert first != second
    assert not {seed for _, seed in first} & {seed for _, seed in second}
    assert list(EpochSampler(50, seed=1)) == first
    assert list(EpochSampler(50, seed=2)) != first


def test_ranks_share_the_draws_of_one_process():
    whole = list(EpochSampler(11, seed=3))
    parts = [EpochSampler(11, seed=3, rank=rank, world_size=2) for rank in range(2)]

    dealt = [draw for pair in zip(*parts, strict=True) for draw in pair]

    assert dealt == whole[:10]
    assert [len(part) for part in parts] == [5, 5]


def test_weights_decide_how_often():
    weights = np.array([1.0] * 900 + [9.0] * 100)  # one class nine times the other

    rows = [row for row, _ in EpochSampler(1000, seed=0, weights=weights)]

    assert 0.45 < np.mean(np.array(rows) >= 900) < 0.55
