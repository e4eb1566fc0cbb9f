import os
import time

import pytest
from factories import save

from brain_tumor.cli import data as verb
from brain_tumor.data.cache.store import cached_images


def run(capsys, *arguments):
    """Run ``brain-tumor data cache``; return exit code, standard output and standard error."""
    try:
        verb.main(["cache", *map(str, arguments)])
        code = 0
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


@pytest.fixture
def cache(tmp_path):
    """A cache with two entries, of which that of 32 px was used last."""
    files = [str(save(tmp_path / "data" / f"{n}.png", "glioma", n)) for n in range(3)]
    for size in (48, 32):
        entry = cached_images(files, size, tmp_path / "cache").entry
        for file in entry.iterdir():
            os.utime(file, (10**9 - size, 10**9 - size))
    return tmp_path / "cache"


def test_entries_are_listed(cache, capsys, monkeypatch):
    code, out, _ = run(capsys, cache)

    lines = out.splitlines()
    assert code == 0
    assert "3  32 px" in lines[2]
    assert "3  48 px" in lines[3]
    assert "2001-09-0" in lines[2]
    monkeypatch.setenv("BRAIN_TUMOR_CACHE", str(cache))
    assert run(capsys)[1] == out


def test_an_empty_cache_is_listed(tmp_path, capsys):
    code, out, _ = run(capsys, tmp_path / "none")

    assert code == 0
    assert "none: 0 entries, 0.00 GB" in out


def test_verify_names_damaged_entries(cache, capsys):
    assert run(capsys, cache, "--verify")[0] == 0
    images = next(cache.glob("images-*")) / "images.npy"
    images.write_bytes(images.read_bytes()[:-2] + b"\xff\x00")

    code, out, error = run(capsys, cache, "--verify")

    assert code == 2
    assert "1 of 3 images have changed" in " ".join(out.split())
    assert "1 of 2 entries are damaged" in error


def test_entries_of_other_versions_are_listed_and_removed(cache, capsys):
    (cache / "images-0123456789abcdef").mkdir()

    assert "?" in run(capsys, cache)[1]
    assert "3 entries removed" in run(capsys, cache, "--evict", 0)[1]
    assert not list(cache.glob("*images-*"))


def test_drafts_of_killed_processes_are_removed_after_a_day(cache, capsys):
    for name, age in (("old", 10**5), ("new", 10)):
        (cache / f".images-{name}").mkdir()
        os.utime(cache / f".images-{name}", (time.time() - age,) * 2)

    run(capsys, cache, "--evict", 100)

    assert [path.name for path in cache.glob(".images-*")] == [".images-new"]


def test_evict_keeps_the_most_recently_used_entry(cache, capsys):
    size = sum(file.stat().st_size for file in cache.glob("images-*/*"))

    _, out, _ = run(capsys, cache, "--evict", 0.9 * size / 1e9)

    assert "1 entries removed" in out
    assert "32 px" in out
    assert "48 px" not in out


@pytest.mark.parametrize("limit", ["-1", "much", "inf"])
def test_invalid_limits(cache, capsys, limit):
    code, _, error = run(capsys, cache, f"--evict={limit}")

    assert code == 2
    assert "expected a number of GB from 0" in error
