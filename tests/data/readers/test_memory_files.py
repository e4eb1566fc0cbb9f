"""Files in memory are read as the same files on disk are."""

import gzip
import tracemalloc
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from data.readers.clinical import RAMP, ball, write_dicom, write_nifti, write_series
from data.readers.test_representations import RASTERS, picture

from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.reading import read
from brain_tumor.data.readers.volumes import ScanRules, find_scans
from brain_tumor.errors import DataError


def in_memory(file: Path, home: Path) -> MemoryFile:
    return MemoryFile(PurePosixPath(file.relative_to(home).as_posix()), file.read_bytes())


def assert_read_alike(file: Path, *slices: str) -> None:
    copy = in_memory(file, file.parent)
    places = [[f"{place}#{name}" if name else str(place) for name in slices or ("",)] for place in (file, copy)]
    on_disk, read_copy = (list(read(names, {str(copy): copy})) for names in places)
    for one, other in zip(on_disk, read_copy, strict=True):
        assert np.array_equal(one.image, other.image)
        assert (one.format, one.mode) == (other.format, other.mode)


@pytest.mark.parametrize("kind", RASTERS)
def test_images(kind, tmp_path):
    name, write, _ = RASTERS[kind]
    write(tmp_path / name, picture(0))

    assert_read_alike(tmp_path / name)


def test_dicom(tmp_path):
    assert_read_alike(write_dicom(tmp_path / "one.dcm", RAMP))
    assert_read_alike(write_dicom(tmp_path / "many.dcm", np.stack([RAMP, RAMP[::-1]])), "1", "0")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_volumes(name, tmp_path):
    assert_read_alike(write_nifti(tmp_path / name, ball(), "LPS", (1, 2, 3)), "axial:11", "coronal:9")


def test_folders_have_the_same_scans(tmp_path):
    write_series(tmp_path / "series")
    write_nifti(tmp_path / "p7" / "t1.nii.gz", ball())
    write_nifti(tmp_path / "p7" / "t1_mask.nii.gz", ball())
    write_dicom(tmp_path / "single.dcm", RAMP)
    files = [file for file in sorted(tmp_path.rglob("*")) if file.is_file()]
    on_disk = find_scans(files, tmp_path, ScanRules.parse("every:2"))
    copies, rules = [in_memory(file, tmp_path) for file in files], ScanRules.parse("every:2", cache_dir=tmp_path / "no")
    found = find_scans(copies, PurePosixPath(), rules)

    prefix = f"{tmp_path}/"
    assert [{key: value.removeprefix(prefix) for key, value in row.items()} for row in on_disk.rows] == found.rows
    assert {name.removeprefix(prefix): why for name, why in on_disk.left_out.items()} == found.left_out
    assert on_disk.slices == found.slices
    assert not (tmp_path / "no").exists()


def test_a_compressed_volume_unpacks_no_more_than_its_header_promises(tmp_path):
    packed = gzip.decompress(write_nifti(tmp_path / "a.nii.gz", ball()).read_bytes())
    bomb = MemoryFile(PurePosixPath("a.nii.gz"), gzip.compress(packed + bytes(1 << 28)))

    peak = memory_of(lambda: next(read(["a.nii.gz#axial:3"], {"a.nii.gz": bomb})))
    assert peak < 1 << 25


def memory_of(action) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_damage_is_told_by_name():
    for name in ("scan.png", "scan.nii.gz", "scan.dcm"):
        with pytest.raises(DataError, match=f"^{name} "):
            next(read([name], {name: MemoryFile(PurePosixPath(name), b"\x1f\x8b nonsense")}))
