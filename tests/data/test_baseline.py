import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from brain_tumor.data.baseline import asked, baseline_scores, cached_nearest, nearest, random_label_accuracy

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


def test_known_pictures_are_looked_at_in_parts(views, monkeypatch):
    whole = nearest(views, TRAIN, QUERIES)
    monkeypatch.setattr("brain_tumor.data.baseline._KNOWN", 7)
    monkeypatch.setattr("brain_tumor.data.baseline._BLOCK", 6)

    np.testing.assert_array_equal(nearest(views, TRAIN, QUERIES), whole)


def test_of_many_queries_a_fixed_part_is_asked():
    queries = np.arange(5, 405)

    few = asked(queries, 50)

    np.testing.assert_array_equal(few, asked(queries, 50))
    assert len(set(few)) == 50
    assert set(few) <= set(queries)
    assert 150 < few.mean() < 260
    assert asked(queries, 400) is queries


def test_mirror_images_are_nearest(views):
    views[50] = views[7, :, :, ::-1]

    assert nearest(views, TRAIN, np.array([50])).tolist() == [7]


def test_blank_pictures_are_no_error():
    assert nearest(np.zeros((3, 3, 64, 64), np.uint8), np.array([0]), np.array([1, 2])).tolist() == [0, 0]


def test_it_is_remembered(views, tmp_path, monkeypatch):
    first = cached_nearest(tmp_path, views, TRAIN, QUERIES)
    monkeypatch.setattr("brain_tumor.data.baseline.nearest", lambda *_: pytest.fail("searched again"))

    np.testing.assert_array_equal(cached_nearest(tmp_path, views, TRAIN, QUERIES), first)


def test_scores_of_taking_over_the_class():
    scores = baseline_scores(["a", "b", "a", "b"], np.array([0, 0]), np.array([2, 3]))

    assert scores == {"f1_macro": pytest.approx(1 / 3), "accuracy": 0.5}


def test_random_classes_are_told_only_across_groups():
    """Images of the same group are given the same random class: finding each other gives them away."""
    found, queries = np.arange(100), np.arange(100, 200)
    together, apart = np.tile(np.arange(100), 2), np.arange(200)

    assert random_label_accuracy(together, 4, found, queries) == 1
    assert random_label_accuracy(apart, 4, found, queries) == pytest.approx(0.25, abs=0.04)
