"""Results and fingerprints are computed once for all image sizes, and again if the stored ones are damaged."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from factories import save
from PIL import Image

from brain_tumor.data.baseline import cached_nearest
from brain_tumor.data.cache import decoding
from brain_tumor.data.cache.eviction import evict
from brain_tumor.data.cache.results import results_folder, stored_result
from brain_tumor.data.cache.store import cached_images
from brain_tumor.data.duplicates import pairs as pairs_module
from brain_tumor.data.duplicates.pairs import PAIRS_VERSION, find_pairs, image_pairs
from brain_tumor.data.fingerprint import fingerprint
from brain_tumor.data.public.groups import tracing

SEARCH = """
import sys
from pathlib import Path
from brain_tumor.data.cache.store import cached_images
from brain_tumor.data.duplicates import pairs
found = pairs.find_pairs
pairs.find_pairs = lambda *inputs: print("searched") or found(*inputs)
pairs.image_pairs(cached_images(sys.argv[3:], int(sys.argv[2]), Path(sys.argv[1])))
"""


@pytest.fixture
def files(tmp_path):
    """Five images, of which the last is a copy of the first."""
    seeds = (0, 1, 2, 3, 0)
    return [str(save(tmp_path / "data" / f"{n}.png", "glioma", seed)) for n, seed in enumerate(seeds)]


@pytest.fixture
def searches(monkeypatch):
    calls = []
    monkeypatch.setattr(pairs_module, "find_pairs", lambda *inputs: calls.append(1) or find_pairs(*inputs))
    return calls


@pytest.mark.parametrize("version", ["READING_VERSION", "FINGERPRINT_VERSION"])
def test_pairs_are_found_once_for_all_image_sizes(files, tmp_path, searches, monkeypatch, version):
    first = image_pairs(cached_images(files, 48, tmp_path / "cache"))
    second = image_pairs(cached_images(files, 32, tmp_path / "cache"))

    assert len(searches) == 1
    assert second.equals(first)
    assert second[["left", "right", "kind"]].to_numpy().tolist() == [[0, 4, "exact"]]
    for module in ("results", "store"):
        monkeypatch.setattr(f"brain_tumor.data.cache.{module}.{version}", "other")
    image_pairs(cached_images(files, 32, tmp_path / "cache"))
    assert len(searches) == 2


def test_another_version_of_the_matching_searches_again(files, tmp_path, searches, monkeypatch):
    image_pairs(cached_images(files, 48, tmp_path / "cache"))
    monkeypatch.setattr(pairs_module, "PAIRS_VERSION", PAIRS_VERSION + 1)
    image_pairs(cached_images(files, 48, tmp_path / "cache"))

    assert len(searches) == 2


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda stored: stored[:-7], lambda stored: stored.replace(b"exact", b"near")]
)
def test_a_damaged_table_is_computed_again(files, tmp_path, searches, damage):
    cache = cached_images(files, 48, tmp_path / "cache")
    first = image_pairs(cache)
    stored = cache.results / f"pairs-{PAIRS_VERSION}.csv"
    stored.write_bytes(damage(stored.read_bytes()))

    assert image_pairs(cache).equals(first)
    assert image_pairs(cache)["kind"].tolist() == ["exact"]
    assert len(searches) == 2


@pytest.mark.slow
def test_one_of_several_processes_with_different_sizes_searches(files, tmp_path):
    commands = [[sys.executable, "-c", SEARCH, str(tmp_path / "cache"), size, *files] for size in ("32", "48", "56")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    printed = [process.communicate(timeout=300)[0] for process in running]

    assert [process.returncode for process in running] == [0, 0, 0]
    assert "".join(printed).count("searched") == 1
    assert not list((tmp_path / "cache").glob("results-*/.*"))


def test_one_of_several_threads_computes(tmp_path):
    calls = []

    def read_or_compute(_):
        return stored_result(
            tmp_path,
            "answer",
            "computes",
            compute=lambda: calls.append(1) or "42",
            to_bytes=str.encode,
            from_bytes=bytes.decode,
        )

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read_or_compute, range(8))) == {"42"}
    assert calls == [1]


def test_results_need_no_writable_folder(tmp_path):
    views = np.random.default_rng(0).integers(0, 255, (6, 3, 64, 64), np.uint8)

    found = cached_nearest(tmp_path / "missing", views, np.arange(4), np.arange(4, 6))

    assert found.shape == (2,)


def test_images_of_a_set_that_grew_are_not_traced_again(files, tmp_path, monkeypatch):
    traced = []
    monkeypatch.setattr(
        tracing, "trace", lambda _, rows: traced.extend(rows.tolist()) or [("patient", 1.0)] * len(rows)
    )

    def trace(paths, size):
        cache = cached_images(paths, size, tmp_path / "cache")
        samples = pd.DataFrame({"patient_id": [""] * len(paths)})
        filled, _ = tracing.trace_patients(samples, cache.views, cache.facts["pixels"], cache.results)
        assert set(filled["patient_id"]) == {"patient"}

    trace(files[:3], 48)
    trace(files[:3], 32)
    assert traced == [0, 1, 2]
    trace(files[::-1], 48)
    assert traced == [0, 1, 2, 1]  # of five images, two are copies and two known


def test_another_size_keeps_fingerprints_facts_and_results(files, tmp_path, monkeypatch):
    Image.new("L", (8, 8)).save(tmp_path / "data" / "blank.png")
    files.append(str(tmp_path / "data" / "blank.png"))
    first = cached_images(files, 48, tmp_path / "cache")
    computed = []
    monkeypatch.setattr(decoding, "fingerprint", lambda image: computed.append(image) or fingerprint(image))

    second = cached_images(files, 32, tmp_path / "cache")

    assert len(computed) == 1  # of the blank image, which has no digest
    assert second.images[:].shape == (6, 32, 32)
    np.testing.assert_array_equal(second.views[:], first.views[:])
    assert second.facts.equals(first.facts)
    assert second.entry != first.entry
    assert second.results == first.results


def test_damaged_fingerprints_are_computed_again(files, tmp_path):
    first = cached_images(files, 48, tmp_path / "cache")
    before = first.views[:]
    with (first.entry / "views.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")

    np.testing.assert_array_equal(cached_images(files, 32, tmp_path / "cache").views[:], before)


def test_other_files_or_other_readings_have_other_results(files, tmp_path):
    results = cached_images(files, 32, tmp_path / "cache").results
    (tmp_path / "data" / "2.png").write_bytes(b"broken")

    assert cached_images(files[1:], 32, tmp_path / "cache").results != results
    broken = cached_images(files, 32, tmp_path / "cache").facts
    content = [f"PNG {digest}" for digest in broken["sha256"]]
    read_later = broken.assign(error="", content=content)
    folders = {results_folder(tmp_path / "cache", facts) for facts in (broken.assign(content=content), read_later)}
    assert len(folders - {results}) == 2


@pytest.mark.parametrize(("limit", "kept"), [(1, True), (0, False)])
def test_results_are_removed_after_the_entries_of_their_images(files, tmp_path, limit, kept):
    """The results of the set in use stay even where they are older than an entry of another set."""
    old, used, other = (
        cached_images(some, 32, tmp_path / "cache").results for some in (files[:2], files[2:4], files[4:])
    )
    for results, time in ((old, 1), (used, 2), (other, 3)):
        os.utime(results / "used", (time, time))
    for number, entry in enumerate((tmp_path / "cache").glob("images-*")):
        for file in entry.iterdir():
            os.utime(file, (4 + number, 4 + number))
    if kept:
        assert cached_images(files[2:4], 48, tmp_path / "cache", limit_gb=limit).results == used
    else:
        evict(tmp_path / "cache", 0)

    assert [folder.is_dir() for folder in (old, used, other)] == [False, kept, False]
