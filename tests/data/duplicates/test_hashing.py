import numpy as np
import pytest

from brain_tumor.data.duplicates import hashing
from brain_tumor.data.duplicates.hashing import LENGTH, Hasher, build_index, neighbours, shrink
from brain_tumor.data.fingerprint import ORIENTATIONS, mirror


@pytest.fixture(scope="module")
def grids():
    return shrink(np.random.default_rng(0).integers(0, 255, (300, 64, 64)).astype(np.uint8))


def pairs_of(index, queries, **options):
    blocks = list(neighbours(index, queries, **({"min_cosine": 0.9, "max_neighbours": 5} | options)))
    query, row = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    return set(zip(query.tolist(), row.tolist(), strict=True))


def test_mirroring_twice_gives_the_same_hash(grids):
    hasher = Hasher.fit(grids)
    hashes = hasher(grids)

    assert hashes.shape == (300, LENGTH)
    np.testing.assert_allclose(np.linalg.norm(hashes, axis=1), 1, atol=1e-5)
    for orientation in ORIENTATIONS:
        mirrored = hasher(mirror(grids, orientation), orientation)
        np.testing.assert_allclose(mirrored, hashes, atol=1e-4)


def test_distinct_images_have_nearly_orthogonal_hashes(grids):
    hashes = Hasher.fit(grids)(grids)

    cosines = hashes @ hashes.T - np.eye(len(hashes))
    assert np.abs(cosines).mean() < 0.15


def test_every_hash_finds_only_itself(grids):
    hashes = Hasher.fit(grids)(grids)

    assert pairs_of(build_index(hashes), hashes) == {(row, row) for row in range(300)}
    assert pairs_of(build_index(hashes), hashes, block=7) == {(row, row) for row in range(300)}


def test_cells_find_nearly_all_neighbours(monkeypatch):
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(1000, LENGTH))
    spread = centres[rng.integers(1000, size=6000)] + 0.1 * rng.normal(size=(6000, LENGTH))
    hashes = (spread / np.linalg.norm(spread, axis=1, keepdims=True)).astype(np.float32)
    exact = pairs_of(build_index(hashes), hashes)

    monkeypatch.setattr(hashing, "_MAX_EXACT", 100)
    index = build_index(hashes)

    assert type(index).__name__ == "IndexIVFFlat"
    assert len(pairs_of(index, hashes) & exact) > 0.98 * len(exact)
