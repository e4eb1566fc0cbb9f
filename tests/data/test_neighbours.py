import numpy as np

from brain_tumor.data.baseline import nearest, neighbours

KNOWN, QUERIES = np.arange(30), np.arange(30, 40)


def test_they_are_those_that_correlate_best(monkeypatch):
    views = np.random.default_rng(0).integers(0, 255, (40, 3, 64, 64)).astype(np.uint8)
    views[33] = views[7, :, :, ::-1]
    whole = views[:, 0].reshape(40, -1).astype(float)
    mirrored = views[:, 0, :, ::-1].reshape(40, -1).astype(float)
    alike = np.maximum(np.corrcoef(whole)[30:, :30], np.corrcoef(whole, mirrored)[30:40, 40:70])
    expected = np.argsort(-alike, axis=1)[:, :3]

    found, similarity = neighbours(views, KNOWN, QUERIES)
    monkeypatch.setattr("brain_tumor.data.baseline._KNOWN", 7)
    monkeypatch.setattr("brain_tumor.data.baseline._BLOCK", 3)
    in_parts, _ = neighbours(views, KNOWN, QUERIES)

    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(in_parts, expected)
    np.testing.assert_array_equal(found[:, 0], nearest(views, KNOWN, QUERIES))
    np.testing.assert_allclose(similarity, np.take_along_axis(alike, expected, axis=1), atol=1e-5)
    assert found[3, 0] == 7


def test_there_are_no_more_than_are_known():
    views = np.random.default_rng(0).integers(0, 255, (4, 3, 64, 64)).astype(np.uint8)

    found, similarity = neighbours(views, np.array([0, 1]), np.array([2, 3]), count=5)

    assert found.shape == similarity.shape == (2, 2)
    assert sorted(found[0]) == [0, 1]
