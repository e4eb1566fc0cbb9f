import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from brain_tumor.data.baseline import (
    baseline_scores,
    cached_nearest,
    nearest,
    neighbours,
    random_label_accuracy,
    sample_queries,
)

TRAIN, QUERIES = np.arange(40), np.arange(40, 60)


@pytest.fixture
def views():
    return np.random.default_rng(0).integers(0, 255, (60, 3, 64, 64)).astype(np.uint8)


def test_equals_scikit_learn_on_correlation(views):
    whole = views[:, 0]
    both = np.concatenate([whole[TRAIN], whole[TRAIN, :, ::-1]]).reshape(80, -1).astype(float)
    reference = KNeighborsClassifier(1, metric="correlation", algorithm="brute").fit(both, np.tile(TRAIN, 2))

    expected = reference.predict(whole[QUERIES].reshape(20, -1).astype(float))
    np.testing.assert_array_equal(nearest(views, TRAIN, QUERIES), expected)


def test_blocks_do_not_change_the_result(views, monkeypatch):
    whole = nearest(views, TRAIN, QUERIES)
    monkeypatch.setattr("brain_tumor.data.baseline._REFERENCE_BLOCK", 7)
    monkeypatch.setattr("brain_tumor.data.baseline._QUERY_BLOCK", 6)

    np.testing.assert_array_equal(nearest(views, TRAIN, QUERIES), whole)


def test_many_queries_are_sampled():
    queries = np.arange(5, 405)

    sample = sample_queries(queries, 50)

    np.testing.assert_array_equal(sample, sample_queries(queries, 50))
    assert len(set(sample)) == 50
    assert set(sample) <= set(queries)
    assert 150 < sample.mean() < 260
    assert sample_queries(queries, 400) is queries


def test_mirror_images_are_nearest(views):
    views[50] = views[7, :, :, ::-1]

    assert nearest(views, TRAIN, np.array([50])).tolist() == [7]


def test_blank_images_are_no_error():
    assert nearest(np.zeros((3, 3, 64, 64), np.uint8), np.array([0]), np.array([1, 2])).tolist() == [0, 0]


def test_the_result_is_stored(views, tmp_path, monkeypatch):
    first = cached_nearest(tmp_path, views, TRAIN, QUERIES)
    monkeypatch.setattr("brain_tumor.data.baseline.nearest", lambda *_: pytest.fail("searched again"))

    np.testing.assert_array_equal(cached_nearest(tmp_path, views, TRAIN, QUERIES), first)


def test_scores():
    scores = baseline_scores(["a", "b", "a", "b"], np.array([0, 0]), np.array([2, 3]))

    assert scores == {"f1_macro": pytest.approx(1 / 3), "accuracy": 0.5}


def test_random_classes_are_predicted_only_where_groups_cross_the_split():
    """Images of one group have the same random class, so a neighbour of the group predicts it."""
    rows, queries = np.arange(100), np.arange(100, 200)
    crossing, separate = np.tile(np.arange(100), 2), np.arange(200)

    assert random_label_accuracy(crossing, 4, rows, queries) == 1
    assert random_label_accuracy(separate, 4, rows, queries) == pytest.approx(0.25, abs=0.04)


def test_neighbours_are_the_images_that_correlate_best(monkeypatch):
    reference, queries = np.arange(30), np.arange(30, 40)
    views = np.random.default_rng(0).integers(0, 255, (40, 3, 64, 64)).astype(np.uint8)
    views[33] = views[7, :, :, ::-1]
    whole = views[:, 0].reshape(40, -1).astype(float)
    mirrored = views[:, 0, :, ::-1].reshape(40, -1).astype(float)
    correlation = np.maximum(np.corrcoef(whole)[30:, :30], np.corrcoef(whole, mirrored)[30:40, 40:70])
    expected = np.argsort(-correlation, axis=1)[:, :3]

    rows, similarity = neighbours(views, reference, queries)
    monkeypatch.setattr("brain_tumor.data.baseline._REFERENCE_BLOCK", 7)
    monkeypatch.setattr("brain_tumor.data.baseline._QUERY_BLOCK", 3)
    rows_in_blocks, _ = neighbours(views, reference, queries)

    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(rows_in_blocks, expected)
    np.testing.assert_array_equal(rows[:, 0], nearest(views, reference, queries))
    np.testing.assert_allclose(similarity, np.take_along_axis(correlation, expected, axis=1), atol=1e-5)
    assert rows[3, 0] == 7


def test_there_are_no_more_neighbours_than_reference_images():
    views = np.random.default_rng(0).integers(0, 255, (4, 3, 64, 64)).astype(np.uint8)

    rows, similarity = neighbours(views, np.array([0, 1]), np.array([2, 3]), count=5)

    assert rows.shape == similarity.shape == (2, 2)
    assert sorted(rows[0]) == [0, 1]
