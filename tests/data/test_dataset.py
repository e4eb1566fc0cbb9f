import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.data.dataset import (
    DistributedBatchSampler,
    EpochSampler,
    SliceDataset,
    TrainLoader,
    automatic_workers,
    identity_collate,
)
from brain_tumor.errors import DataError

IMAGES = np.arange(4 * 6 * 6, dtype=np.uint8).reshape(4, 6, 6)


def test_items_are_image_class_and_row():
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

        single_items = zip(*map(dataset.__getitem__, items), strict=True)
        for tensor, tensors in zip(batch, single_items, strict=True):
            torch.testing.assert_close(tensor, torch.stack(tensors))
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
    expected = list(EpochSampler(11, seed=3))
    of_ranks = [EpochSampler(11, seed=3, rank=rank, world_size=2) for rank in range(2)]

    draws = [draw for step in zip(*of_ranks, strict=True) for draw in step]

    assert draws == expected[:10]
    assert [len(sampler) for sampler in of_ranks] == [5, 5]


def test_weights_set_the_frequency_of_draws():
    weights = np.array([1.0] * 900 + [9.0] * 100)  # one class nine times the other

    rows = [row for row, _ in EpochSampler(1000, seed=0, weights=weights)]

    assert 0.45 < np.mean(np.array(rows) >= 900) < 0.55


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5))
def test_ranks_share_the_batches_of_one_process(n, batch_size, world_size):
    expected = list(DistributedBatchSampler(n, batch_size))
    of_ranks = [list(DistributedBatchSampler(n, batch_size, rank, world_size)) for rank in range(world_size)]

    assert [row for batch in expected for row in batch] == list(range(n))
    assert len({len(batches) for batches in of_ranks}) == 1
    batches = [batch for step in zip(*of_ranks, strict=True) for batch in step]
    assert batches[: len(expected)] == expected
    assert all(batch in expected for batch in batches)


@pytest.fixture(params=[0, 2], ids=["no workers", "workers"])
def loader(request):
    images = np.arange(23, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2)
    dataset = SliceDataset(images, np.arange(23), np.zeros(23, np.int64))
    return lambda: TrainLoader(
        dataset,
        batch_size=4,
        sampler=EpochSampler(23, seed=1),
        drop_last=True,
        num_workers=request.param,
        collate_fn=identity_collate,
    )


def rows(loader):
    return [batch[2].tolist() for batch in loader]


def test_a_resumed_epoch_continues_where_it_stopped(loader):
    expected = rows(loader())
    interrupted = loader()
    batches = iter(interrupted)
    before = [next(batches)[2].tolist() for _ in range(2)]

    resumed = loader()
    resumed.load_state_dict(interrupted.state_dict())

    assert interrupted.state_dict() == {"batches": 2}
    assert before + rows(resumed) == expected
    assert rows(resumed) == expected  # only the first epoch after resuming is shorter
    assert len(resumed) == 5


def test_an_error_is_one_sentence_with_and_without_workers(loader):
    class UnreadableImages:
        def __len__(self):
            return 23

        def __getitem__(self, rows):
            raise DataError("17.png cannot be read.")

    failing = loader()
    failing.dataset._images = UnreadableImages()

    with pytest.raises(DataError, match=r"^17\.png cannot be read\.$"):
        next(iter(failing))


def test_after_a_complete_epoch_nothing_is_skipped(loader):
    first = loader()
    expected = rows(first)

    resumed = loader()
    resumed.load_state_dict(first.state_dict())

    assert rows(resumed) == expected


@pytest.mark.parametrize(
    ("cores", "processes", "device", "workers"),
    [
        (1, 1, "cpu", 0),
        (2, 1, "cpu", 0),
        (4, 1, "cpu", 1),
        (2, 2, "cpu", 0),
        (64, 1, "cpu", 2),
        (1, 1, "cuda", 0),
        (2, 1, "cuda", 1),
        (16, 1, "cuda", 8),
        (16, 4, "cuda", 3),
        (4, 8, "cuda", 0),
    ],
)
def test_workers_leave_cores_to_training(cores, processes, device, workers):
    number, reason = automatic_workers(processes, device, cores)

    assert number == workers
    assert f"{cores} cores for {processes} process" in reason
    assert processes * (number + 1) <= max(cores, processes)


def test_the_cores_of_this_process_are_counted(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 3, 5}, raising=False)

    assert automatic_workers(1, "cuda")[1].startswith("3 cores for 1 process:")
