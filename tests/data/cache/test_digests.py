import hashlib
import os
from pathlib import Path

import pytest
from conftest import save

from brain_tumor.data.cache import digests as module
from brain_tumor.data.cache.digests import digests
from brain_tumor.errors import DataError


@pytest.fixture
def files(tmp_path):
    return [
        str(save(tmp_path / folder / f"{n}.png", "glioma", n)) for folder in ("one", "other, one") for n in range(3)
    ]


@pytest.fixture
def read(monkeypatch):
    """Which files were read."""
    seen, original = [], module._digests

    def spy(file, references):
        seen.append(file)
        return original(file, references)

    monkeypatch.setattr(module, "_digests", spy)
    return seen


def test_they_are_those_of_the_bytes(files, tmp_path):
    expected = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]

    assert digests(files) == expected
    assert digests(files[::-1], tmp_path / "memory") == expected[::-1]
    assert digests([f"{files[0]}", files[0]]) == expected[:1] * 2


def test_a_slice_has_its_own(tmp_path):
    file = tmp_path / "scan.nii"
    file.write_bytes(b"content")

    found = digests([f"{file}#axial:1", f"{file}#axial:2", str(file)])

    assert found[0] == hashlib.sha256(b"content#axial:1").hexdigest()
    assert found[2] == hashlib.sha256(b"content").hexdigest()
    assert len(set(found)) == 3


def test_only_what_changed_is_read_again(files, tmp_path, read):
    before = digests(files, tmp_path / "memory")
    assert sorted(read) == sorted(files)
    read.clear()
    assert digests(files[1:4], tmp_path / "memory") == before[1:4]
    assert read == []
    stat = Path(files[2]).stat()
    Path(files[2]).write_bytes(Path(files[2]).read_bytes()[::-1])
    os.utime(files[2], ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same length, same time of modification

    after = digests(files, tmp_path / "memory")

    assert read == [files[2]]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, False, True, True, True]


def test_a_spoilt_memory_is_made_anew(files, tmp_path, read):
    before = digests(files, tmp_path / "memory")
    for table in (tmp_path / "memory").iterdir():
        table.write_bytes(b'"\xff\x00,')
    read.clear()

    assert digests(files, tmp_path / "memory") == before
    assert sorted(read) == sorted(files)


def test_a_memory_that_cannot_be_written_costs_time_only(files, tmp_path):
    (tmp_path / "file").write_text("in the way")

    assert digests(files, tmp_path / "file") == digests(files)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png cannot be read: No such file or directory\."):
        digests([str(tmp_path / "gone.png")])
