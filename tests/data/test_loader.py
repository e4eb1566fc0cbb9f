import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.data.dataset import EpochSampler, SliceDataset, whole
from brain_tumor.data.loaders import DealtBatches, TrainLoader
from brain_tumor.errors import DataError


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5))
def test_dealt_batches_are_those_of_one_process(n, batch_size, world_size):
    whole = list(DealtBatches(n, batch_size))
    parts = [list(DealtBatches(n, batch_size, rank, world_size)) for rank in range(world_size)]

    assert [row for batch in whole for row in batch] == list(range(n))
    assert len({len(part) for part in parts}) == 1
    dealt = [batch for turn in zip(*parts, strict=True) for batch in turn]
    assert dealt[: len(whole)] == whole
    assert all(batch in whole for batch in dealt)


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
        collate_fn=whole,
    )


def rows(loader):
    return [batch[2].tolist() for batch in loader]


def test_a_resumed_epoch_goes_on_where_it_stopped(loader):
    whole = rows(loader())
    interrupted = loader()
    batches = iter(interrupted)
    before = [next(batches)[2].tolist() for _ in range(2)]

    resumed = loader()
    resumed.load_state_dict(interrupted.state_dict())

    assert interrupted.state_dict() == {"batches": 2}
    assert before + rows(resumed) == whole
    assert rows(resumed) == whole  # only the first epoch after resuming is shorter
    assert len(resumed) == 5


def test_a_fault_is_one_sentence_wherever_it_happens(loader):
    class Faulty:
        def __len__(self):
            return 23

        def __getitem__(self, rows):
            raise DataError("17.png cannot be read.")

    faulty = loader()
    faulty.dataset._images = Faulty()

    with pytest.raises(DataError, match=r"^17\.png cannot be read\.$"):
        next(iter(faulty))


def test_after_a_whole_epoch_nothing_is_skipped(loader):
    first = loader()
    whole = rows(first)

    resumed = loader()
    resumed.load_state_dict(first.state_dict())

    assert rows(resumed) == whole
