import numpy as np
import pydicom
import pytest
from data.readers.clinical import RAMP, SHIPPED, assert_one_sentence, dataset, read_frame, read_or_error, write_dicom
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels import apply_voi_lut, apply_windowing

from brain_tumor.data.readers.dicom import displayed_values, read
from brain_tumor.data.readers.dicom_frame import Frame, FrameHeader
from brain_tumor.data.readers.reading import is_scan, read_image
from brain_tumor.errors import DataError

FILES = sorted(path for path in SHIPPED.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(SHIPPED).as_posix() for path in FILES])
def test_every_file_of_pydicom_gives_an_image_or_one_sentence(path, caplog, capfd):
    for name in ("", "0"):
        reading, error = read_or_error(path, name)
        if reading:
            assert reading.image.dtype == np.uint8
            assert reading.image.ndim == 2
            assert reading.image.max() > 0
            assert reading.format == "DICOM"
        else:
            assert_one_sentence(error, path)
    assert not caplog.records
    assert len([path for path in FILES if path.suffix == ".dcm"]) > 70


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("JPGExtended.dcm", "compressed as JPEG Extended, for which no decoder is installed; export it uncompressed"),
        ("rtplan.dcm", r"contains no image \(RT Plan Storage\); remove it"),
        ("dicomdirtests/DICOMDIR", r"contains no image \(Media Storage Directory Storage\)"),
        ("MR_truncated.dcm", "it may be damaged, truncated"),
        ("README.txt", "is not a DICOM file; remove it"),
        ("SC_rgb_rle_2frame.dcm", "contains 2 frames; name one of #0 to #1"),
    ],
)
def test_errors_say_why_a_file_cannot_be_read(name, sentence):
    with pytest.raises(DataError, match=sentence):
        read_frame(SHIPPED / name)


@pytest.mark.parametrize("name", ["RLE", "jp2klossless", "jpeg_ls_lossless", "bigendian", "implicit", "padded"])
def test_compressed_files_equal_the_uncompressed_one(name):
    uncompressed, compressed = SHIPPED / "MR_small.dcm", SHIPPED / f"MR_small_{name}.dcm"

    np.testing.assert_array_equal(read_frame(compressed), read_frame(uncompressed))


@pytest.mark.parametrize(
    ("name", "other", "max_difference"),
    [
        ("SC_rgb_rle.dcm", "SC_ybr_full_422_uncompressed.dcm", 2),
        ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm", 0),  # lossless JPEG
        ("SC_rgb_gdcm_KY.dcm", "SC_rgb_rle.dcm", 1),  # JPEG 2000
        ("SC_rgb_jls_lossy_line.dcm", "SC_rgb_rle.dcm", 3),
        ("SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle.dcm", 3),  # baseline JPEG
        ("SC_rgb_rle_16bit.dcm", "SC_rgb_rle.dcm", 1),
        ("SC_rgb_jpeg.dcm", "SC_rgb_jpeg_dcmd.dcm", 2),
    ],
)
def test_colour_compressions_agree(name, other, max_difference):
    assert np.abs(read_frame(SHIPPED / name).astype(int) - read_frame(SHIPPED / other)).mean() <= max_difference


def test_signed_inverted_rescaled_and_windowed(tmp_path):
    path = write_dicom(
        tmp_path / "scan.dcm",
        RAMP,
        PhotometricInterpretation="MONOCHROME1",
        RescaleSlope=2,
        RescaleIntercept=100,
        WindowCenter=100.5,
        WindowWidth=2001,
    )

    inverted = (RAMP * 2.0 + 100 - (100 - 1000)) / 2000  # window from -900 to 1100
    np.testing.assert_array_equal(read_frame(path), np.rint((1 - inverted.clip(0, 1)) * 255))
    assert next(read(path, [""])).mode == "int16"


def test_bits_above_the_twelve_stored_are_ignored(tmp_path):
    values = np.array([[0, 1000], [2000, 4095]], np.uint16)
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "BitsStored": 12}
    clean = write_dicom(tmp_path / "clean.dcm", values, **window)
    overlay = write_dicom(tmp_path / "overlay.dcm", values | 0xF000, **window)

    np.testing.assert_array_equal(read_frame(clean), np.rint(values / 4095 * 255))
    np.testing.assert_array_equal(read_frame(overlay), read_frame(clean))


def test_without_window_wide_values_are_stretched_and_eight_bits_stay(tmp_path):
    values = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    wide = read_frame(write_dicom(tmp_path / "wide.dcm", values))
    low, high = np.percentile(values, 0.5), np.percentile(values[values > 0], 99.5)
    np.testing.assert_array_equal(wide, np.rint(np.clip((values - low) / (high - low), 0, 1) * 255))

    small = np.arange(50, 90, dtype=np.uint8).reshape(5, 8)
    np.testing.assert_array_equal(read_frame(write_dicom(tmp_path / "small.dcm", small)), small)


def test_a_window_that_makes_the_image_blank_is_ignored(tmp_path):
    away = write_dicom(tmp_path / "away.dcm", RAMP, WindowCenter=30000, WindowWidth=10)
    broken = write_dicom(tmp_path / "broken.dcm", RAMP, WindowCenter=0, WindowWidth=0)
    none = write_dicom(tmp_path / "none.dcm", RAMP)

    np.testing.assert_array_equal(read_frame(away), read_frame(none))
    np.testing.assert_array_equal(read_frame(broken), read_frame(none))


def test_padding_is_black_in_inverted_images_too(tmp_path):
    padded = RAMP.copy()
    padded[0, :3] = -2000
    path = write_dicom(tmp_path / "scan.dcm", padded, PhotometricInterpretation="MONOCHROME1")
    data = pydicom.dcmread(path)
    data.add_new("PixelPaddingValue", "US", 63536)  # -2000, written unsigned as some scanners do
    data.save_as(path)

    grey = read_frame(path)

    assert grey[0, :3].tolist() == [0, 0, 0]
    assert grey[0, 3] == 255
    assert grey[1, 7] == 0


def test_lookup_tables_are_applied(tmp_path):
    stored = np.array([[0, 1, 2, 300]], np.uint16)
    modality = dataset(LUTDescriptor=[3, 1, 16], ModalityLUTType="US", LUTData=np.array([10, 20, 30], "<u2").tobytes())
    voi = dataset(LUTDescriptor=[24, 10, 8], LUTData=bytes(range(1, 22)) + b"\x80\xc0\xff")
    path = write_dicom(tmp_path / "scan.dcm", stored, ModalityLUTSequence=[modality], VOILUTSequence=[voi])

    assert read_frame(path).tolist() == [[1, 1, 11, 21]]  # 10, 10, 20, 30 after the modality LUT


@settings(deadline=None)
@given(
    centre=st.floats(-500, 500),
    width=st.floats(1, 2000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_windows_equal_those_of_pydicom(centre, width, function):
    data = dataset(PhotometricInterpretation="MONOCHROME2", BitsStored=16, PixelRepresentation=1)
    data.WindowCenter, data.WindowWidth, data.VOILUTFunction = f"{centre:.8g}", f"{width:.8g}", function

    values_shown = displayed_values(Frame(RAMP.astype(float), RAMP.astype(float), "int16", FrameHeader(data, 0), data))
    with np.errstate(over="ignore"):
        expected = (apply_windowing(RAMP, data) + 2**15) / (2**16 - 1)

    if np.ptp(expected) > 8 / 255:  # below, the image would show nothing, and the window is ignored
        np.testing.assert_allclose(values_shown, expected, atol=1e-9)


def test_lookup_tables_equal_those_of_pydicom(tmp_path):
    data = dataset(PhotometricInterpretation="MONOCHROME2", BitsStored=8, PixelRepresentation=0)
    data.VOILUTSequence = [dataset(LUTDescriptor=[256, 0, 16], LUTData=[(i * 7919) % 65536 for i in range(256)])]
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)

    values_shown = displayed_values(
        Frame(values.astype(float), values.astype(float), "uint8", FrameHeader(data, 0), data)
    )

    np.testing.assert_allclose(values_shown, apply_voi_lut(values, data) / 65535)


def test_colour_becomes_luma_and_palettes_are_applied(tmp_path):
    rgb = np.full((4, 5, 3), (200, 100, 50), np.uint8)

    grey = read_frame(write_dicom(tmp_path / "colour.dcm", rgb))

    assert grey.shape == (4, 5)
    assert grey[0, 0] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert read_frame(SHIPPED / "examples_palette.dcm").std() > 10


def test_pixels_are_resampled_to_squares(tmp_path):
    values = np.tile(np.arange(8, dtype=np.uint8) * 30, (6, 1))

    tall = read_frame(write_dicom(tmp_path / "tall.dcm", values, PixelSpacing=[3, 1]))
    wide = read_frame(write_dicom(tmp_path / "wide.dcm", values, PixelAspectRatio=[1, 2]))

    assert tall.shape == (18, 8)
    assert wide.shape == (6, 16)
    np.testing.assert_array_equal(tall[0], values[0])


def test_each_frame_has_a_name_and_its_own_rescale(tmp_path):
    frames = np.stack([RAMP, RAMP + 5, RAMP + 7])
    items = [
        dataset(PixelValueTransformationSequence=[dataset(RescaleSlope=slope, RescaleIntercept=0, RescaleType="US")])
        for slope in (1, -1, 1)
    ]
    shared = dataset(FrameVOILUTSequence=[dataset(WindowCenter=0.5, WindowWidth=2001)])
    path = write_dicom(
        tmp_path / "scan.dcm", frames, PerFrameFunctionalGroupsSequence=items, SharedFunctionalGroupsSequence=[shared]
    )

    first, second, first_again = (reading.image for reading in read(path, ["0", "1", "0"]))

    np.testing.assert_array_equal(first, np.rint((RAMP + 1000.0) / 2000 * 255))
    np.testing.assert_array_equal(second, np.rint((1000.0 - RAMP - 5) / 2000 * 255))
    np.testing.assert_array_equal(first, first_again)
    for name in ("3", "-1", "x", "1.0"):
        with pytest.raises(DataError, match=r"has no frame .*; expected a number from 0 to 2"):
            read_frame(path, name)


def test_frames_of_a_shipped_file_differ():
    frames = [reading.image for reading in read(SHIPPED / "examples_ybr_color.dcm", [str(i) for i in range(30)])]

    assert len({frame.tobytes() for frame in frames}) > 20


@pytest.mark.parametrize("name", ["IM000001", "1.2.840.10008.5", "scan.txt", "scan.DCM", "scan.ima"])
def test_dicom_is_recognised_by_its_first_bytes(tmp_path, name):
    path = write_dicom(tmp_path / name, RAMP)

    assert is_scan(path)
    assert read_frame(path).shape == RAMP.shape


def test_other_files_are_no_scans(tmp_path):
    (tmp_path / "notes").write_text("DICM")
    (tmp_path / "DICOMDIR").write_bytes((SHIPPED / "dicomdirtests" / "DICOMDIR").read_bytes())

    assert not any(is_scan(tmp_path / name) for name in ("notes", "DICOMDIR", "absent", "", "a\0b"))


def test_frames_of_files_without_suffix(tmp_path):
    path = write_dicom(tmp_path / "IM1", np.stack([RAMP, RAMP[::-1]]))

    np.testing.assert_array_equal(read_image(f"{path}#1"), read_image(f"{path}#0")[::-1])
