import numpy as np
import pytest

from brain_tumor.data.duplicates import hashing
from brain_tumor.data.duplicates.hashing import LENGTH, Hasher, index_of, neighbours, shrunk
from brain_tumor.data.fingerprint import ORIENTATIONS, mirror


@pytest.fixture(scope="module")
def grids():
    return shrunk(np.random.default_rng(0).integers(0, 255, (300, 64, 64)).astype(np.uint8))


def pairs_of(index, queries, **options):
    blocks = list(neighbours(index, queries, **({"least": 0.9, "most": 5} | options)))
    query, row = (np.concatenate(side) for side in zip(*blocks, strict=True))
    return set(zip(query.tolist(), row.tolist(), strict=True))


def test_a_mirrored_picture_is_found_by_the_mirrored_hash(grids):
    hasher = Hasher.fit(grids)
    hashes = hasher(grids)

    assert hashes.shape == (300, LENGTH)
    np.testing.assert_allclose(np.linalg.norm(hashes, axis=1), 1, atol=1e-5)
    for orientation in ORIENTATIONS:
        turned = hasher(mirror(grids, orientation), orientation)
        np.testing.assert_allclose(turned, hashes, atol=1e-4)


def test_distinct_pictures_have_nearly_orthogonal_hashes(grids):
    hashes = Hasher.fit(grids)(grids)

    cosines = hashes @ hashes.T - np.eye(len(hashes))
    assert np.abs(cosines).mean() < 0.15


def test_every_hash_finds_itself_and_no_stranger(grids):
    hashes = Hasher.fit(grids)(grids)

    assert pairs_of(index_of(hashes), hashes) == {(row, row) for row in range(300)}
    assert pairs_of(index_of(hashes), hashes, block=7) == {(row, row) for row in range(300)}


def test_cells_find_nearly_all_that_comparing_all_finds(monkeypatch):
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(1000, LENGTH))
    spread = centres[rng.integers(1000, size=6000)] + 0.1 * rng.normal(size=(6000, LENGTH))
    hashes = (spread / np.linalg.norm(spread, axis=1, keepdims=True)).astype(np.float32)
    exact = pairs_of(index_of(hashes), hashes)

    monkeypatch.setattr(hashing, "_EXACT", 100)
    index = index_of(hashes)

    assert type(index).__name__ == "IndexIVFFlat"
    assert len(pairs_of(index, hashes) & exact) > 0.98 * len(exact)
