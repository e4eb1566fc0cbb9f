import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.data.images import ImageRows, StoredArray
from brain_tumor.errors import DataError

ARRAY = np.random.default_rng(0).integers(256, size=(7, 3, 4, 5), dtype=np.uint8)
ROW = st.integers(-7, 6)
INDEX = st.one_of(ROW, st.slices(7), st.lists(ROW, max_size=9).map(lambda rows: np.array(rows, np.int64)))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("array") / "array.npy"
    array = StoredArray.create(path, ARRAY.shape)
    for row in reversed(range(len(ARRAY))):
        array[row] = ARRAY[row]
    np.testing.assert_array_equal(np.load(path), ARRAY)
    return StoredArray(path)


@given(INDEX, st.one_of(st.none(), st.integers(0, 2)))
def test_a_stored_array_is_indexed_like_a_numpy_array(stored, rows, element):
    key = rows if element is None else (rows, element)

    np.testing.assert_array_equal(stored[key], ARRAY[key])
    assert stored[key].dtype == np.uint8


@given(st.lists(ROW, min_size=7, max_size=7).map(lambda rows: np.array(rows, np.int64)), INDEX)
def test_image_rows_equal_a_copy(stored, selected, rows):
    for images in (ARRAY, stored):
        np.testing.assert_array_equal(ImageRows(images, selected)[rows], ARRAY[selected][rows])
        np.testing.assert_array_equal(ImageRows(images, selected)[rows, 1], ARRAY[selected][rows, 1])
    assert len(ImageRows(stored, selected)) == 7


def test_rows_that_do_not_exist(stored):
    for rows in (7, -8, np.array([0, 7])):
        with pytest.raises(IndexError, match="expected rows from -7 to 6"):
            stored[rows]


def test_changing_a_result_does_not_change_the_file(stored):
    stored[2][:] = 0

    np.testing.assert_array_equal(stored[2], ARRAY[2])


def test_a_stored_array_can_be_pickled(stored):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stored))[:], ARRAY)  # noqa: S301 - our own


@pytest.mark.parametrize("array", [ARRAY.astype(np.int16), np.asfortranarray(ARRAY)])
def test_only_uint8_in_c_order_is_accepted(tmp_path, array):
    np.save(tmp_path / "other.npy", array)

    with pytest.raises(ValueError, match="is incomplete or not a uint8 array"):
        StoredArray(tmp_path / "other.npy")


def test_a_truncated_file_is_detected(tmp_path):
    np.save(tmp_path / "array.npy", ARRAY)
    opened = StoredArray(tmp_path / "array.npy")
    content = (tmp_path / "array.npy").read_bytes()
    (tmp_path / "array.npy").write_bytes(content[:-1])

    with pytest.raises(DataError, match="was truncated"):
        opened[6]
    with pytest.raises(ValueError, match="is incomplete or not a uint8 array"):
        StoredArray(tmp_path / "array.npy")
