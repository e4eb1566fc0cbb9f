import nibabel as nib
import numpy as np
from factories import draw, save
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from brain_tumor.data.cache.decoding import decode, fit_square


def test_facts_describe_how_the_file_stores_its_image(tmp_path):
    path = tmp_path / "scan.jpg"
    image = np.pad(draw("glioma", 0)[:30], 4, constant_values=200)
    Image.fromarray(image).convert("RGB").save(path, quality=95)

    facts = next(decode([str(path)], 32)).facts

    assert (facts["format"], facts["mode"], facts["width"], facts["height"]) == ("JPEG", "RGB", "56", "38")
    assert 195 < float(facts["border"]) < 205
    assert facts["error"] == ""


def test_slices_of_one_volume_are_different_images(tmp_path):
    path = tmp_path / "scan.nii.gz"
    volume = np.random.default_rng(0).integers(0, 99, (20, 24, 6)).astype(np.int16)
    nib.save(nib.Nifti1Image(volume, np.eye(4)), path)

    first, second = decode([f"{path}#axial:1", f"{path}#axial:4"], 32)

    assert first.facts["pixels"] != second.facts["pixels"]
    assert not np.array_equal(first.image, second.image)
    assert next(decode([f"{path}#axial:4"], 32)).facts == second.facts


def test_an_error_is_in_the_facts_of_all_later_images(tmp_path):
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.random.default_rng(0).random((8, 8, 3), np.float32), np.eye(4)), path)

    decoded = list(decode([f"{path}#axial:1", f"{path}#axial:7", f"{path}#axial:2"], 16))

    assert [bool(image.facts["error"]) for image in decoded] == [False, True, True]
    assert decoded[1].image.max() == 0
    assert decoded[1].views.shape == decoded[0].views.shape


def test_facts_do_not_depend_on_the_file_name(tmp_path):
    a, b = (next(decode([str(save(tmp_path / name, "glioma", 1))], 16)).facts for name in ("a.png", "b.png"))

    assert a == b


@given(st.integers(1, 90), st.integers(1, 90), st.integers(8, 64))
def test_fitting_keeps_proportions_and_centre(height, width, size):
    fitted = fit_square(np.full((height, width), 200, np.uint8), size)

    rows, columns = np.flatnonzero(fitted.any(axis=1)), np.flatnonzero(fitted.any(axis=0))
    assert fitted.shape == (size, size)
    assert len(rows) == max(1, round(size * height / max(height, width)))
    assert len(columns) == max(1, round(size * width / max(height, width)))
    assert abs((rows[0] + rows[-1]) - (size - 1)) <= 1
    assert (fitted[fitted > 0] == 200).all()
