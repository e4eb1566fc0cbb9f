import hashlib
import os
from pathlib import Path

import pytest
from factories import save

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
    """Files that were read."""
    calls, original = [], module._compute_digests

    def spy(file, references):
        calls.append(file)
        return original(file, references)

    monkeypatch.setattr(module, "_compute_digests", spy)
    return calls


def test_digests_are_the_sha256_of_the_bytes(files, tmp_path):
    expected = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]

    assert digests(files) == expected
    assert digests(files[::-1], tmp_path / "tables") == expected[::-1]
    assert digests([f"{files[0]}", files[0]]) == expected[:1] * 2


def test_each_slice_has_its_own_digest(tmp_path):
    file = tmp_path / "scan.nii"
    file.write_bytes(b"content")

    computed = digests([f"{file}#axial:1", f"{file}#axial:2", str(file)])

    assert computed[0] == hashlib.sha256(b"content#axial:1").hexdigest()
    assert computed[2] == hashlib.sha256(b"content").hexdigest()
    assert len(set(computed)) == 3


def test_only_changed_files_are_read_again(files, tmp_path, read):
    before = digests(files, tmp_path / "tables")
    assert sorted(read) == sorted(files)
    read.clear()
    assert digests(files[1:4], tmp_path / "tables") == before[1:4]
    assert read == []
    stat = Path(files[2]).stat()
    Path(files[2]).write_bytes(Path(files[2]).read_bytes()[::-1])
    os.utime(files[2], ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same length, same time of modification

    after = digests(files, tmp_path / "tables")

    assert read == [files[2]]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, True, True, True]


def test_a_damaged_table_is_recomputed(files, tmp_path, read):
    before = digests(files, tmp_path / "tables")
    for table in (tmp_path / "tables").iterdir():
        table.write_bytes(b'"\xff\x00,')
    read.clear()

    assert digests(files, tmp_path / "tables") == before
    assert sorted(read) == sorted(files)


def test_a_folder_that_cannot_be_written_is_no_error(files, tmp_path):
    (tmp_path / "file").write_text("in the way")

    assert digests(files, tmp_path / "file") == digests(files)


def test_a_missing_file_gives_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png cannot be read: No such file or directory\."):
        digests([str(tmp_path / "gone.png")])
