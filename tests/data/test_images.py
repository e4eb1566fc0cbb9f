import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.data.images import Chosen, StoredArray
from brain_tumor.errors import DataError

ARRAY = np.random.default_rng(0).integers(256, size=(7, 3, 4, 5), dtype=np.uint8)
ROW = st.integers(-7, 6)
INDEX = st.one_of(ROW, st.slices(7), st.lists(ROW, max_size=9).map(lambda rows: np.array(rows, np.int64)))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("array") / "array.npy"
    made = StoredArray.create(path, ARRAY.shape)
    for row in reversed(range(len(ARRAY))):
        made[row] = ARRAY[row]
    np.testing.assert_array_equal(np.load(path), ARRAY)
    return StoredArray(path)


@given(INDEX, st.one_of(st.none(), st.integers(0, 2)))
def test_it_is_indexed_as_an_array_is(stored, rows, part):
    key = rows if part is None else (rows, part)

    np.testing.assert_array_equal(stored[key], ARRAY[key])
    assert stored[key].dtype == np.uint8


@given(st.lists(ROW, min_size=7, max_size=7).map(lambda rows: np.array(rows, np.int64)), INDEX)
def test_chosen_rows_are_those_of_a_copy(stored, chosen, rows):
    for images in (ARRAY, stored):
        np.testing.assert_array_equal(Chosen(images, chosen)[rows], ARRAY[chosen][rows])
        np.testing.assert_array_equal(Chosen(images, chosen)[rows, 1], ARRAY[chosen][rows, 1])
    assert len(Chosen(stored, chosen)) == 7


def test_there_are_no_other_rows(stored):
    for rows in (7, -8, np.array([0, 7])):
        with pytest.raises(IndexError, match="There are 7 rows"):
            stored[rows]


def test_copies_do_not_touch_the_file(stored):
    stored[2][:] = 0

    np.testing.assert_array_equal(stored[2], ARRAY[2])


def test_another_process_can_open_it(stored):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stored))[:], ARRAY)  # noqa: S301 - our own


@pytest.mark.parametrize("array", [ARRAY.astype(np.int16), np.asfortranarray(ARRAY)])
def test_only_bytes_by_rows(tmp_path, array):
    np.save(tmp_path / "other.npy", array)

    with pytest.raises(ValueError, match="is not whole"):
        StoredArray(tmp_path / "other.npy")


def test_a_file_cut_short_is_noticed(tmp_path):
    np.save(tmp_path / "array.npy", ARRAY)
    opened = StoredArray(tmp_path / "array.npy")
    content = (tmp_path / "array.npy").read_bytes()
    (tmp_path / "array.npy").write_bytes(content[:-1])

    with pytest.raises(DataError, match="cut short"):
        opened[6]
    with pytest.raises(ValueError, match="is not whole"):
        StoredArray(tmp_path / "array.npy")
