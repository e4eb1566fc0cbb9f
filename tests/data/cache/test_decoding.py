import nibabel as nib
import numpy as np
from conftest import draw, save
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from brain_tumor.data.cache.decoding import decode, fit_square


def test_facts_say_how_the_file_stores_its_picture(tmp_path):
    path = tmp_path / "scan.jpg"
    image = np.pad(draw("glioma", 0)[:30], 4, constant_values=200)
    Image.fromarray(image).convert("RGB").save(path, quality=95)

    facts = next(decode([str(path)], 32)).facts

    assert (facts["format"], facts["mode"], facts["width"], facts["height"]) == ("JPEG", "RGB", "56", "38")
    assert 195 < float(facts["border"]) < 205
    assert facts["error"] == ""


def test_slices_of_one_volume_are_other_pictures(tmp_path):
    path = tmp_path / "scan.nii.gz"
    volume = np.random.default_rng(0).integers(0, 99, (20, 24, 6)).astype(np.int16)
    nib.save(nib.Nifti1Image(volume, np.eye(4)), path)

    one, other = decode([f"{path}#axial:1", f"{path}#axial:4"], 32)

    assert one.facts["pixels"] != other.facts["pixels"]
    assert not np.array_equal(one.square, other.square)
    assert next(decode([f"{path}#axial:4"], 32)).facts == other.facts


def test_a_fault_stands_in_the_facts_of_all_that_comes_after_it(tmp_path):
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.random.default_rng(0).random((8, 8, 3), np.float32), np.eye(4)), path)

    decoded = list(decode([f"{path}#axial:1", f"{path}#axial:7", f"{path}#axial:2"], 16))

    assert [bool(one.facts["error"]) for one in decoded] == [False, True, True]
    assert decoded[1].square.max() == 0
    assert decoded[1].views.shape == decoded[0].views.shape


def test_facts_do_not_depend_on_the_file_name(tmp_path):
    one, other = (next(decode([str(save(tmp_path / name, "glioma", 1))], 16)).facts for name in ("a.png", "b.png"))

    assert one == other


@given(st.integers(1, 90), st.integers(1, 90), st.integers(8, 64))
def test_fitting_keeps_proportions_and_centre(height, width, size):
    square = fit_square(np.full((height, width), 200, np.uint8), size)

    rows, columns = np.flatnonzero(square.any(axis=1)), np.flatnonzero(square.any(axis=0))
    assert square.shape == (size, size)
    assert len(rows) == max(1, round(size * height / max(height, width)))
    assert len(columns) == max(1, round(size * width / max(height, width)))
    assert abs((rows[0] + rows[-1]) - (size - 1)) <= 1
    assert (square[square > 0] == 200).all()
