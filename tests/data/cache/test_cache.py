import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nibabel as nib
import numpy as np
import pytest
from factories import draw, save
from PIL import Image

from brain_tumor.data.cache import decoding
from brain_tumor.data.cache.store import cached_images
from brain_tumor.data.images import StoredArray
from brain_tumor.errors import ConfigError, DataError

BUILD = """
import sys
from brain_tumor.data.cache.store import cached_images
cached_images(sys.argv[2:], 48, __import__("pathlib").Path(sys.argv[1]))
"""


@pytest.fixture
def files(tmp_path):
    return [str(save(tmp_path / "data" / f"{n}.png", "glioma", n)) for n in range(5)]


@pytest.fixture
def decoded(monkeypatch):
    """References that were decoded."""
    calls = []
    original = decoding.decode

    def decode(references, *others):
        calls.extend(references)
        return original(references, *others)

    monkeypatch.setattr(decoding, "decode", decode)
    return calls


def test_images_are_in_the_order_of_the_paths(files, tmp_path):
    cache = cached_images(files[::-1], 48, tmp_path / "cache")

    for row, seed in enumerate(reversed(range(5))):
        assert cache.images[row].dtype == np.uint8
        np.testing.assert_array_equal(cache.images[row], draw("glioma", seed))
    assert cache.facts["path"].tolist() == files[::-1]


def test_the_second_time_nothing_is_decoded(files, tmp_path, decoded):
    first = cached_images(files, 32, tmp_path / "cache")
    second = cached_images(files, 32, tmp_path / "cache")

    assert sorted(decoded) == files
    np.testing.assert_array_equal(first.images[:], second.images[:])
    assert first.facts.equals(second.facts)


def test_a_changed_file_or_size_is_decoded_again(files, tmp_path):
    before = cached_images(files, 48, tmp_path / "cache").images[0].copy()
    save(tmp_path / "data" / "0.png", "pituitary", 0)
    os.utime(files[0], ns=(1, 1))

    assert not np.array_equal(cached_images(files, 48, tmp_path / "cache").images[0], before)
    assert cached_images(files, 24, tmp_path / "cache").images[:].shape == (5, 24, 24)


def test_a_moved_data_set_is_not_decoded_again(files, tmp_path, decoded):
    first = cached_images(files, 48, tmp_path / "cache")
    shutil.copytree(tmp_path / "data", tmp_path / "moved")
    moved = [path.replace("/data/", "/moved/") for path in files]
    decoded.clear()

    second = cached_images(moved, 48, tmp_path / "cache")

    assert decoded == []
    assert second.entry == first.entry
    assert second.facts["path"].tolist() == moved


def test_subsets_and_extensions_copy_decoded_images(files, tmp_path, decoded):
    complete = cached_images(files, 48, tmp_path / "cache")
    decoded.clear()
    new = str(save(tmp_path / "data" / "new.png", "pituitary", 9))

    subset = cached_images(files[3:0:-1], 48, tmp_path / "cache")
    extended = cached_images([new, *files], 48, tmp_path / "cache")

    assert decoded == [new]
    for cache, rows in ((subset, [3, 2, 1]), (extended, [None, 0, 1, 2, 3, 4])):
        for position, row in enumerate(rows):
            if row is not None:
                np.testing.assert_array_equal(cache.images[position], complete.images[row])
                np.testing.assert_array_equal(cache.views[position], complete.views[row])
                assert cache.facts.loc[position].equals(complete.facts.loc[row].rename(position))


def test_volumes_are_cached_slice_by_slice(tmp_path, decoded):
    (tmp_path / "data").mkdir()
    volume = np.random.default_rng(0).integers(0, 99, (20, 24, 6)).astype(np.int16)
    nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "data" / "scan.nii.gz")
    slices = [f"{tmp_path}/data/scan.nii.gz#axial:{number}" for number in (1, 3, 4)]
    first = cached_images(slices[:2], 32, tmp_path / "cache")
    decoded.clear()

    extended = cached_images(slices, 32, tmp_path / "cache")

    assert decoded == slices[2:]
    assert extended.facts["sha256"].nunique() == 3
    np.testing.assert_array_equal(extended.images[:2], first.images[:])


def test_the_three_modes_give_the_same_images(files, tmp_path):
    disk, ram, off = (cached_images(files, 32, tmp_path / "cache" / mode, mode) for mode in ("disk", "ram", "off"))

    rows = np.array([4, 0, 0])
    for cache in (ram, off):
        for row in (2, -1, rows, slice(1, 4)):
            np.testing.assert_array_equal(cache.images[row], disk.images[row])
            np.testing.assert_array_equal(cache.views[row], disk.views[row])
        assert cache.facts[disk.facts.columns].equals(disk.facts)
        assert cache.entry is None
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["disk"]


def test_only_small_entries_are_loaded_into_memory(files, tmp_path, monkeypatch):
    small = cached_images(files, 48, tmp_path / "cache").images
    monkeypatch.setattr("brain_tumor.data.cache.store._MAX_BYTES_IN_MEMORY", len(files) * 48 * 48 - 1)
    large = cached_images(files, 48, tmp_path / "cache").images

    assert isinstance(small, np.ndarray)
    assert isinstance(large, StoredArray)
    np.testing.assert_array_equal(small, large[:])


def test_unreadable_files_are_named_in_the_facts(files, tmp_path):
    (tmp_path / "data" / "2.png").write_bytes(b"broken")

    facts = cached_images(files, 48, tmp_path / "cache").facts

    assert (facts["error"] != "").tolist() == [False, False, True, False, False]
    assert files[2] in facts["error"][2]
    shutil.copytree(tmp_path / "data", tmp_path / "moved")
    moved = [path.replace("/data/", "/moved/") for path in files]
    assert moved[2] in cached_images(moved, 48, tmp_path / "cache").facts["error"][2]


@pytest.mark.parametrize("name", ["images.npy", "views.npy", "facts.csv", "checksums.npy", "seal.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_entry_is_detected_and_rebuilt(files, tmp_path, caplog, name, damage):
    first = cached_images(files, 48, tmp_path / "cache")
    before = first.images[:], first.views[:]
    path = first.entry / name
    content = bytearray(path.read_bytes())
    stat = path.stat()
    content[-9] ^= 1
    path.write_bytes(content if damage == "flipped" else content[:-7])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    if damage == "gone":
        path.unlink()

    rebuilt = cached_images(files, 48, tmp_path / "cache")

    assert "is damaged" in caplog.text
    np.testing.assert_array_equal(rebuilt.images[:], before[0])
    np.testing.assert_array_equal(rebuilt.views[:], before[1])
    assert rebuilt.facts.equals(first.facts)


def test_damaged_images_are_not_copied(files, tmp_path, decoded):
    entry = cached_images(files, 48, tmp_path / "cache").entry
    with (entry / "images.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    decoded.clear()

    cached_images(files[::-1], 48, tmp_path / "cache")

    assert decoded == files[-1:]


def test_one_of_several_threads_decodes(files, tmp_path, decoded, caplog):
    caplog.set_level("INFO")
    with ThreadPoolExecutor(4) as pool:
        entries = set(pool.map(lambda _: cached_images(files, 48, tmp_path / "cache").entry, range(4)))

    assert len(entries) == 1
    assert sorted(decoded) == files


def test_processes_build_one_entry(files, tmp_path):
    command = [sys.executable, "-c", BUILD, str(tmp_path / "cache"), *files]
    running = [subprocess.Popen(command) for _ in range(2)]

    assert [process.wait(120) for process in running] == [0, 0]
    assert len(list((tmp_path / "cache").glob("images-*"))) == 1
    assert not list((tmp_path / "cache").glob(".images-*"))


def test_the_limit_removes_the_least_recently_used_entries(files, tmp_path):
    entries = []
    for size in (32, 40, 48):
        entries.append(cached_images(files, size, tmp_path / "cache").entry)
        for file in entries[-1].iterdir():
            os.utime(file, (size, size))
    os.utime(entries[0] / "used", (99, 99))
    entry_size = sum(file.stat().st_size for file in entries[0].iterdir())

    last = cached_images(files, 56, tmp_path / "cache", limit_gb=3 * entry_size / 1e9)

    assert entries[0].is_dir()
    assert last.entry.is_dir()
    assert not entries[1].exists()
    assert not entries[2].exists()


def test_same_pixels_in_another_format_have_the_same_digest(tmp_path):
    for name in ("a.png", "b.bmp"):
        Image.fromarray(draw("glioma", 0)).save(tmp_path / name)

    facts = cached_images([str(tmp_path / "a.png"), str(tmp_path / "b.bmp")], 48, tmp_path / "cache").facts

    assert facts["pixels"].nunique() == 1
    assert facts["sha256"].nunique() == 2


def test_an_unwritable_cache_gives_one_sentence(files, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(DataError, match=r"with paths\.cache_dir"):
        cached_images(files, 48, tmp_path / "file")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(("tape",), "data.cache=tape.*disk, ram, off"), (("disk", -1), "paths.cache_limit_gb=-1.*or null")],
)
def test_invalid_settings(files, tmp_path, arguments, sentence):
    with pytest.raises(ConfigError, match=sentence):
        cached_images(files, 48, tmp_path / "cache", *arguments)


def test_a_missing_file_gives_one_sentence(files, tmp_path):
    with pytest.raises(DataError, match=r"gone\.png cannot be read: No such file"):
        cached_images([*files, str(tmp_path / "gone.png")], 48, tmp_path / "cache")


def test_blank_images_have_no_digest(tmp_path):
    for number in range(2):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")

    cache = cached_images([str(tmp_path / f"{number}.png") for number in range(2)], 8, tmp_path / "cache")

    assert cache.facts["pixels"].tolist() == ["", ""]
