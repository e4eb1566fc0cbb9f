import h5py
import numpy as np
import pytest
from data.public.layouts import write_mat

from brain_tumor.data.readers.matlab import Case, read, read_case
from brain_tumor.data.readers.reading import read as read_references
from brain_tumor.data.readers.reading import read_image
from brain_tumor.errors import DataError

IMAGE = np.tile(np.arange(0, 2048, 64, dtype=np.int16), (24, 1))  # [24, 32]: height and width cannot be confused
MASK = np.zeros((24, 32), bool)
MASK[3:9, 20:30] = True


@pytest.fixture
def file(tmp_path):
    return write_mat(tmp_path / "7.mat", 2, "MR040240B", IMAGE, MASK)


def test_image_and_mask_are_upright(file):
    image, mask = read(file, ["", "mask"])

    assert image.image.dtype == np.uint8
    np.testing.assert_array_equal(image.image, np.rint(IMAGE / IMAGE.max() * 255))
    np.testing.assert_array_equal(mask.image, MASK * 255)
    assert (image.format, image.mode) == ("MATLAB", "int16")


def test_references_name_the_mask(file):
    np.testing.assert_array_equal(read_image(f"{file}#mask"), MASK * 255)
    assert [reading.image.max() for reading in read_references([str(file), f"{file}#mask"])] == [255, 255]


def test_label_patient_and_mask_are_read(file, tmp_path):
    assert read_case(file) == Case(2, "MR040240B", has_mask=True)
    assert read_case(write_mat(tmp_path / "8.mat", 1, "100360", IMAGE)) == Case(1, "100360", has_mask=False)


def _write_other_struct(path):
    with h5py.File(path, "w") as file:
        file["x"] = 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file, Platform: PCWIN" + bytes(200)),
            "of an older format; convert it with save",
        ),
        (lambda path: path.write_bytes(b"garbage"), "cannot be read as a MATLAB v7.3 file .*download it again"),
        (lambda path: path.write_bytes(b""), "cannot be read as a MATLAB v7.3 file"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "cannot be read as a MATLAB v7.3 file"),
        (_write_other_struct, "lacks a field of cjdata; expected image, label"),
        (lambda path: write_mat(path, 1, "1", np.zeros((0, 3))), "cjdata.image is not a numeric matrix"),
    ],
)
def test_other_files_give_one_sentence(file, make, sentence):
    make(file)

    with pytest.raises(DataError, match=sentence) as caught:
        read_image(file)
    assert "\n" not in str(caught.value)


def test_slices_that_do_not_exist(file, tmp_path):
    with pytest.raises(DataError, match=r"has no slice 'axial:3'; expected none \(the image\) or 'mask'"):
        read_image(f"{file}#axial:3")
    with pytest.raises(DataError, match="lacks a field of cjdata"):
        read_image(f"{write_mat(tmp_path / '9.mat', 1, '1', IMAGE)}#mask")
