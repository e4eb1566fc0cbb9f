from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from data.readers.clinical import write_nifti
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.data.readers.grey import robust_range
from brain_tumor.data.readers.nifti import measure, read, read_layout
from brain_tumor.data.readers.reading import read_image
from brain_tumor.errors import DataError

SHIPPED = Path(nib.__file__).parent / "tests" / "data"
FILES = sorted(path for path in SHIPPED.iterdir() if path.name.endswith((".nii", ".nii.gz", ".hdr", ".mgz", ".mnc")))
NO_VOLUMES = {path.name for path in FILES if path.suffix in (".hdr", ".mgz", ".mnc")} | {"row_major.dconn.nii"}
CODES = ["".join(code) for axes in permutations(("RL", "AP", "SI")) for code in product(*axes)]  # all 48


def read_slice(path, name=""):
    return next(read(path, [name])).image


def landmarks() -> np.ndarray:
    """Return [7, 9, 5] in RAS+ order: a dim head with 100 at the patient's right, 150 in front and 200 on top."""
    head = np.full((7, 9, 5), 50, np.int16)
    head[:2], head[:, :2], head[:, :, :1] = 10, 20, 0
    head[5:, 4, 2], head[3, 7:, 2], head[3, 4, 3:] = 100, 150, 200
    return head


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_every_file_of_nibabel_gives_an_image_or_one_sentence(path, caplog):
    if path.name in NO_VOLUMES:
        with pytest.raises(DataError) as caught:
            read_layout(path)
        assert str(caught.value).startswith(f"{path} ")
        assert "\n" not in str(caught.value)
        assert caught.value.__suppress_context__
    else:
        shape = read_layout(path).shape
        names = [f"{plane}:{n // 2}" for plane, n in zip(("sagittal", "coronal", "axial"), shape, strict=True)]
        readings = list(read(path, names))
        assert all(r.image.dtype == np.uint8 and r.image.ndim == 2 and r.format == "NIFTI" for r in readings)
        assert any(reading.image.max() > 0 for reading in readings)
    assert not caplog.records


def test_the_radiological_convention(tmp_path):
    path = write_nifti(tmp_path / "scan.nii.gz", landmarks())

    axial, coronal, sagittal = (r.image for r in read(path, ["axial:2", "coronal:4", "sagittal:3"]))

    assert (axial.shape, coronal.shape, sagittal.shape) == ((9, 7), (5, 7), (5, 9))
    low, high = robust_range(landmarks().astype(float))
    right, front, top = (round(min((value - low) / (high - low), 1) * 255) for value in (100, 150, 200))
    assert axial[:2, 3].tolist() == [front, front]
    assert axial[4, :2].tolist() == coronal[2, :2].tolist() == [right, right]  # on the image's left
    assert coronal[:2, 3].tolist() == sagittal[:2, 4].tolist() == [top, top]
    assert sagittal[2, :2].tolist() == [front, front]  # face to the left


@pytest.mark.parametrize("code", CODES)
def test_storage_order_changes_nothing(tmp_path, code):
    names = ["axial:2", "coronal:4", "sagittal:3", "axial:0"]
    turned = write_nifti(tmp_path / "turned.nii", landmarks(), code, (1.0, 2.0, 3.0))
    plain = write_nifti(tmp_path / "plain.nii", landmarks(), "RAS", (1.0, 2.0, 3.0))

    assert read_layout(turned) == read_layout(plain)
    for left, right in zip(read(turned, names), read(plain, names), strict=True):
        np.testing.assert_array_equal(left.image, right.image)


def test_pixels_are_resampled_to_squares(tmp_path):
    path = write_nifti(tmp_path / "scan.nii", landmarks(), voxel=(1.0, 1.0, 4.0))

    assert read_slice(path, "axial:2").shape == (9, 7)
    assert read_slice(path, "coronal:4").shape == (20, 7)
    assert read_slice(path, "sagittal:3").shape == (20, 9)
    flat = write_nifti(tmp_path / "flat.nii", landmarks(), voxel=(1.0, 1.0, 50.0))
    with pytest.raises(DataError, match="pixels of 50 × 1 mm; expected a ratio of at most 32"):
        read_slice(flat, "coronal:4")


def test_grey_is_stretched_over_the_whole_volume(tmp_path):
    values = np.zeros((10, 10, 4), np.float32)
    values[2:8, 2:8, 1], values[2:8, 2:8, 2] = 50, 100

    half, full = (r.image.max() for r in read(write_nifti(tmp_path / "a.nii", values), ["axial:1", "axial:2"]))

    assert (half, full) == (128, 255)


@settings(deadline=None, max_examples=25)
@given(slope=st.floats(0.01, 100), offset=st.floats(-1000, 1000))
def test_units_change_nothing(tmp_path_factory, slope, offset):
    values = np.random.default_rng(0).normal(size=(6, 6, 6))
    folder = tmp_path_factory.getbasetemp()
    plain = read_slice(write_nifti(folder / "plain.nii", values), "axial:3")
    other = read_slice(write_nifti(folder / "other.nii", values * slope + offset), "axial:3")

    assert np.abs(plain.astype(int) - other).max() <= 1


def test_a_slope_in_the_header_is_applied(tmp_path):
    nifti = nib.Nifti1Image(landmarks() * 0.001, np.eye(4))
    nifti.set_data_dtype(np.int16)  # written with a slope
    nib.save(nifti, tmp_path / "scaled.nii")
    plain = write_nifti(tmp_path / "plain.nii", landmarks())

    assert np.abs(read_slice(tmp_path / "scaled.nii", "axial:2").astype(int) - read_slice(plain, "axial:2")).max() <= 1
    assert next(read(tmp_path / "scaled.nii", ["axial:2"])).mode == "int16"


def test_values_that_are_not_finite_are_black(tmp_path):
    values = landmarks().astype(np.float32) + 10
    values[:3], values[4, 4, 2] = np.nan, np.inf

    axial = read_slice(write_nifti(tmp_path / "nan.nii", values), "axial:2")

    assert axial[:, 4:].max() == 0
    assert axial[4, 2] == 0
    assert axial.max() > 0


@pytest.mark.parametrize("orientation", ["RAS", "RSA", "SRA", "LPI"])
def test_a_single_slice_needs_no_name(tmp_path, orientation):
    single = write_nifti(tmp_path / "single.nii", landmarks()[:, :, 2:3], orientation)
    volume = write_nifti(tmp_path / "volume.nii", landmarks()[:, :, 2:3].repeat(2, 2))

    assert read_layout(single).single_slice_plane == "axial"
    np.testing.assert_array_equal(read_slice(single), read_slice(volume, "axial:0"))
    np.testing.assert_array_equal(read_slice(single), read_image(f"{single}#axial:0"))


def test_flat_files_and_series(tmp_path):
    nib.save(nib.Nifti1Image(landmarks()[:, :, 2], np.eye(4)), tmp_path / "flat.nii")
    nib.save(nib.Nifti1Image(np.stack([landmarks(), landmarks()[::-1]], -1), np.eye(4)), tmp_path / "series.nii.gz")

    assert read_slice(tmp_path / "flat.nii").shape == (9, 7)
    first, named, second = (r.image for r in read(tmp_path / "series.nii.gz", ["axial:2", "axial:2:0", "axial:2:1"]))
    np.testing.assert_array_equal(first, named)
    np.testing.assert_array_equal(first, second[:, ::-1])
    np.testing.assert_array_equal(first, read_slice(write_nifti(tmp_path / "one.nii", landmarks()), "axial:2"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "a volume of 7 × 9 × 5 voxels; name a slice, for example #axial:2"),
        ("axial:5", "no slice 'axial:5'; expected axial:0 to axial:4 of volume 0"),
        ("axial:2:1", "of volume 0"),
        ("2", "expected PLANE:INDEX"),
        ("axial:-1", "expected PLANE:INDEX"),
        ("oblique:1", "expected PLANE:INDEX"),
    ],
)
def test_slices_that_do_not_exist(tmp_path, name, sentence):
    with pytest.raises(DataError, match=sentence):
        read_slice(write_nifti(tmp_path / "scan.nii", landmarks()), name)


def test_errors_are_one_sentence(tmp_path):
    good = write_nifti(tmp_path / "good.nii.gz", np.random.default_rng(0).normal(size=(20, 20, 20)))
    (tmp_path / "half.nii.gz").write_bytes(good.read_bytes()[:4000])
    plain = write_nifti(tmp_path / "plain.nii", landmarks())
    (tmp_path / "half.nii").write_bytes(plain.read_bytes()[:500])
    (tmp_path / "text.nii").write_text("no volume")
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.complex64), np.eye(4)), tmp_path / "complex.nii")
    colour = np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, np.eye(4)), tmp_path / "rgb.nii")
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2, 1, 3), np.uint8), np.eye(4)), tmp_path / "vectors.nii")
    nib.save(nib.Nifti1Image(np.zeros((2, 0, 2), np.uint8), np.eye(4)), tmp_path / "none.nii")
    nib.save(nib.Nifti1Image(np.full((2, 2, 2), np.nan), np.eye(4)), tmp_path / "nan.nii")
    no_orientation = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    no_orientation.to_filename(tmp_path / "whole.nii")
    header = bytearray((tmp_path / "whole.nii").read_bytes())
    header[280:296] = bytes(16)  # srow_x: no direction
    (tmp_path / "no_orientation.nii").write_bytes(header)

    for name, sentence in {
        "half.nii.gz": "damaged, truncated",
        "half.nii": "damaged, truncated",
        "text.nii": "damaged, truncated",
        "empty.nii.gz": "damaged, truncated",
        "complex.nii": "colour or complex",
        "rgb.nii": "colour or complex",
        "vectors.nii": "has 5 dimensions",
        "none.nii": "is empty",
        "nan.nii": "no finite value",
        "no_orientation.nii": "no valid orientation",
    }.items():
        with pytest.raises(DataError, match=sentence) as caught:
            read_slice(tmp_path / name, "axial:0")
        assert "\n" not in str(caught.value)


def test_a_black_volume_stays_black(tmp_path):
    assert read_slice(write_nifti(tmp_path / "black.nii", np.zeros((4, 4, 4), np.int16)), "axial:1").max() == 0


def test_areas_count_tissue(tmp_path):
    values = np.random.default_rng(0).integers(0, 5, (20, 20, 6))
    values[4:14, 4:14, 2], values[4:8, 4:8, 4] = 100, 100

    path = write_nifti(tmp_path / "scan.nii", values.astype(np.int16), "PIR")

    assert measure(path, "axial") == [0, 0, 0, 100, 0, 16, 0]
    assert sum(measure(path, "sagittal")) == sum(measure(path, "coronal")) == 116
