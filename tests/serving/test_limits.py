"""What a request may hold is told from headers, without unpacking anything."""

import gzip
import struct
import tracemalloc
import zlib
from pathlib import PurePosixPath

import nibabel as nib
import numpy as np
import pytest
import tifffile
from data.readers.clinical import RAMP, ball, write_dicom, write_nifti
from factories import draw, save
from pydicom.uid import DeflatedExplicitVRLittleEndian

from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.serving.service.limits import Limits, TooLargeError, check, size_of


def sent(content, name="scan.png"):
    return MemoryFile(PurePosixPath(name), content)


def huge_png(side=20_000):
    """The header of a black PNG of side × side pixels, and a little of its data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(side))) + chunk(b"IEND", b"")
    )


def test_sizes_are_those_of_the_headers(tmp_path):
    save(tmp_path / "a.png", "glioma", 1)
    many = write_dicom(tmp_path / "many.dcm", np.stack([RAMP] * 5))

    assert size_of(sent((tmp_path / "a.png").read_bytes())) == (1, draw("glioma", 1).size)
    assert size_of(sent(many.read_bytes(), "many.dcm")) == (5, 5 * RAMP.size)
    for name in ("a.nii", "a.nii.gz"):
        assert size_of(sent(write_nifti(tmp_path / name, ball()).read_bytes(), name)) == (20, 20**3)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((30, 40), np.float32))
    assert size_of(sent((tmp_path / "a.tif").read_bytes(), "a.tif")) == (1, 1200)


@pytest.fixture
def hostile(tmp_path):
    """Files that are small and would unpack to gigabytes, or are no images."""
    header = nib.Nifti1Header()
    header.set_data_shape((2000, 2000, 2000))
    header.set_data_dtype(np.float64)
    frames = write_dicom(tmp_path / "f.dcm", np.zeros((1, 4, 4), np.int16), NumberOfFrames=10_000)
    large = write_dicom(tmp_path / "l.dcm", np.zeros((4, 4), np.int16), Rows=60_000, Columns=60_000)
    deflated = large.read_bytes().replace(b"1.2.840.10008.1.2.1\0", DeflatedExplicitVRLittleEndian.encode()[:20])
    return {
        "png": (sent(huge_png()), "million pixels; at most 64 million"),
        "nifti": (sent(gzip.compress(header.binaryblock + bytes(200)), "v.nii.gz"), "holds 8,000 million pixels"),
        "frames": (sent(frames.read_bytes(), "f.dcm"), "has 10,000 slices; at most 2,048"),
        "dicom": (sent(large.read_bytes(), "l.dcm"), "holds 3,600 million pixels"),
        "deflated": (sent(deflated[:200] + b"1.2.840.10008.1.2.1.99" + deflated[200:], "d.dcm"), "is a deflated DICOM"),
        "empty": (sent(b""), "is empty"),
        "text": (sent(b"hello"), "holds no image of a known format"),
        "matlab": (sent(b"\x89HDF", "x.mat"), "is no image that is served"),
        "cut": (sent(b"\x1f\x8b\x08", "x.nii.gz"), "cannot be decoded"),
    }


def test_hostile_files_are_refused_by_name_and_unpacked_by_none(hostile):
    good = sent(huge_png(16))
    tracemalloc.start()
    try:
        for file, reason in hostile.values():
            (found,) = check([file, good], Limits()).items()
            assert found[0] == str(file)
            assert reason in found[1], found[1]
            assert found[1].count("\n") == 0
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_a_request_that_holds_too_much_is_refused():
    files = [sent(huge_png(4000), f"{number}.png") for number in range(3)]

    assert check(files, Limits()) == {}
    with pytest.raises(TooLargeError, match="has 3 files; at most 2"):
        check(files, Limits(files=2))
    with pytest.raises(TooLargeError, match="holds 48 million pixels; at most 40 million"):
        check(files, Limits(megapixels=40))
