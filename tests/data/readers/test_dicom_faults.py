import logging

import numpy as np
import pydicom
import pytest
from data.readers.clinical import (
    NAME,
    NUMBER,
    RAMP,
    SHIPPED,
    assert_one_sentence,
    read_frame,
    read_or_error,
    write_dicom,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import MPEG2MPML, JPEGExtended12Bit, RLELossless

from brain_tumor.errors import DataError


@pytest.mark.parametrize(
    "name", ["SC_rgb_jpeg_dcmtk.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"]
)
@pytest.mark.parametrize("kept", [0.3, 0.9])
@pytest.mark.slow
def test_truncated_frames_are_errors(tmp_path, name, kept):
    data = pydicom.dcmread(SHIPPED / name)
    frame = next(generate_frames(data.PixelData, number_of_frames=1))
    data.PixelData = encapsulate([frame[: int(len(frame) * kept)]])
    data.save_as(tmp_path / "cut.dcm")

    with pytest.raises(DataError, match="may be damaged, truncated"):
        read_frame(tmp_path / "cut.dcm")


@pytest.mark.parametrize("name", ["MR_small.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_gdcm.dcm", "examples_palette.dcm"])
@pytest.mark.parametrize("kept", [0, 100, 131, 200, 700, 0.5, 0.98])
def test_truncated_files_are_errors(tmp_path, name, kept):
    content = (SHIPPED / name).read_bytes()
    (tmp_path / "cut.dcm").write_bytes(content[: int(kept if kept > 1 else len(content) * kept)])

    assert_one_sentence(read_or_error(tmp_path / "cut.dcm")[1], tmp_path / "cut.dcm")


@settings(deadline=None)
@given(st.data())
def test_changed_bytes_never_end_in_a_traceback(tmp_path_factory, data):
    content = bytearray((SHIPPED / "MR_small.dcm").read_bytes()[:9000])
    for _ in range(4):
        content[data.draw(st.integers(128, 1800))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.dcm"
    path.write_bytes(content)
    reading, error = read_or_error(path)
    if not reading:
        assert_one_sentence(error, path)


def test_unsupported_compressions(tmp_path):
    for syntax, sentence in {MPEG2MPML: "which is not supported", JPEGExtended12Bit: "no decoder is installed"}.items():
        path = write_dicom(tmp_path / "film.dcm", RAMP)
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = syntax
        data.PixelData = encapsulate([b"1234"])
        data["PixelData"].is_undefined_length = True
        data.save_as(path)
        with pytest.raises(DataError, match=sentence):
            read_frame(path)


def test_no_patient_in_messages_and_logs(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    odd = write_dicom(tmp_path / "odd.dcm", RAMP, PhotometricInterpretation="ERIKA")
    wrong = write_dicom(tmp_path / "wrong.dcm", RAMP)
    wrong.write_bytes(wrong.read_bytes().replace(b"MONOCHROME2", b"MONOCHROME9"))
    rle = write_dicom(tmp_path / "rle.dcm", RAMP)
    data = pydicom.dcmread(rle)
    data.file_meta.TransferSyntaxUID = RLELossless
    data.PixelData = encapsulate([NAME.encode()])
    data["PixelData"].is_undefined_length = True
    data.save_as(rle)
    caplog.clear()

    assert "erika" in str(pydicom.dcmread(odd)).lower()
    for path in (odd, wrong, rle):
        with pytest.raises(DataError) as caught:
            read_frame(path)
        assert "erika" not in str(caught.value).lower()
        assert NUMBER not in str(caught.value)
    assert not caplog.records


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_files_without_preamble_and_meta_are_read(tmp_path, syntax):
    path = write_dicom(tmp_path / "old.dcm", RAMP)
    data = pydicom.dcmread(path)
    if syntax.endswith("2.2"):
        data.PixelData = RAMP.astype(">i2").tobytes()
    implicit, little = syntax == "1.2.840.10008.1.2", not syntax.endswith("2.2")
    pydicom.dcmwrite(tmp_path / "bare.dcm", pydicom.Dataset(data), implicit_vr=implicit, little_endian=little)

    assert (tmp_path / "bare.dcm").read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_frame(tmp_path / "bare.dcm"), read_frame(path))


def test_a_compression_that_the_file_does_not_name(tmp_path):
    content = (SHIPPED / "MR_small_RLE.dcm").read_bytes()
    start = content.index(b"\x08\x00\x08\x00")  # ImageType: the first element after the meta information
    (tmp_path / "bare.dcm").write_bytes(content[start:])

    with pytest.raises(DataError, match="does not name the compression of its pixel data"):
        read_frame(tmp_path / "bare.dcm")


def test_a_frame_of_padding_is_black(tmp_path):
    assert read_frame(write_dicom(tmp_path / "pad.dcm", np.full((4, 4), 7, np.uint16), PixelPaddingValue=7)).max() == 0
