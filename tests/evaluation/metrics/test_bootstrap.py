from functools import partial

import numpy as np
import pytest
from factories import predictions
from scipy.stats import binomtest, bootstrap

from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.metrics.bootstrap import group_weights, intervals, jackknife_weights
from brain_tumor.evaluation.metrics.estimates import evaluate, results_document


def simulated(n=200, group_size=1, seed=0):
    """Groups whose images are all correct or all wrong."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n // group_size), group_size)
    labels = rng.integers(0, 2, n)
    right = (rng.random(n // group_size) < 0.8)[groups]
    p = np.full((n, 2), 0.1)
    p[np.arange(n), np.where(right, labels, 1 - labels)] = 0.9
    return predictions(labels, p, names=("no_tumor", "tumor"), groups=[f"g{group}" for group in groups])


def test_groups_are_drawn_whole():
    groups = np.array([0, 0, 1, 2, 2, 2])

    weights = np.concatenate(list(group_weights(groups, 500, seed=1)))

    assert weights.shape == (500, 6)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_array_equal(weights[:, [0, 2, 3]].sum(axis=1), 3)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.15)


def test_chunks_are_the_same_draws(monkeypatch):
    whole = np.concatenate(list(group_weights(np.arange(10), 50, seed=0)))
    monkeypatch.setattr("brain_tumor.evaluation.metrics.bootstrap._CHUNK_CELLS", 70)

    parts = list(group_weights(np.arange(10), 50, seed=0))

    assert len(parts) > 5
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def spans(table, **options):
    return intervals(partial(metric_values, table), table.groups, **options)


@pytest.mark.parametrize(("name", "seed"), [("accuracy", 0), ("accuracy", 1), ("brier", 2)])
def test_intervals_equal_those_of_scipy(name, seed):
    table = simulated(150, seed=seed)
    correct = table.predicted == table.labels
    values = correct.astype(float) if name == "accuracy" else np.where(correct, 2 * 0.1**2, 2 * 0.9**2)
    one_image = np.ptp(values) / len(values)  # both bootstraps move in steps of this size
    expected = bootstrap((values,), np.mean, n_resamples=9999, method="BCa", random_state=0).confidence_interval

    low, high = spans(table, resamples=9999)[name]

    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1.01 * one_image)


def test_skewed_statistics_are_corrected():
    """The interval of an accuracy of 0.97 is longer below than above."""
    table = simulated(100, seed=11)
    labels = table.predicted.copy()
    labels[:3] = 1 - labels[:3]

    low, high = spans(predictions(labels, table.probabilities, names=table.classes))["accuracy"]

    assert 0.97 - low > 1.3 * (high - 0.97)


def test_grouped_data_have_wider_intervals():
    alone, grouped = (spans(simulated(group_size=size))["accuracy"] for size in (1, 10))

    assert np.ptp(grouped) > 1.8 * np.ptp(alone)


def test_the_jackknife_leaves_each_group_out_once():
    [few] = jackknife_weights(np.array([0, 0, 1, 2]))
    chunks = list(jackknife_weights(np.repeat(np.arange(10_000), 2)))

    assert few[few[:, 0] == 0][0].tolist() == [0, 0, 1, 1]
    assert (few == 0).sum(axis=0).tolist() == [1, 1, 1, 1]
    assert [len(chunk) for chunk in chunks] == [100, 100]  # memory does not grow with the table
    assert np.concatenate(chunks).shape == (200, 20_000)
    np.testing.assert_array_equal((np.concatenate(chunks) == 0).sum(axis=0), 1)


def test_undefined_metrics_are_null():
    table = predictions(np.zeros(4, int), np.tile([0.7, 0.2, 0.1], (4, 1)))

    results = evaluate(table, resamples=20)

    assert results["auroc"] == {"value": None, "ci_low": None, "ci_high": None, "n": 4}


@pytest.mark.parametrize(("right", "size"), [(True, 1), (False, 1), (True, 4)])
def test_proportions_of_0_and_1_get_an_exact_interval_by_groups(right, size):
    """Twenty images of twenty, or of five, patients: all resamples are equal, but the proportion is uncertain."""
    labels = np.full(20, 0 if right else 1)
    groups = [f"g{n // size}" for n in range(20)]
    table = predictions(labels, np.tile([0.9, 0.1], (20, 1)), names=("no_tumor", "tumor"), groups=groups)
    n = 20 // size
    expected = binomtest(n if right else 0, n).proportion_ci(0.95, method="exact")

    found = evaluate(table, resamples=20)["accuracy"]

    assert (found["ci_low"], found["ci_high"]) == pytest.approx((expected.low, expected.high))
    assert found["value"] == float(right)


def test_n_is_the_denominator_of_a_share():
    table = predictions(np.array([0, 0, 0, 1]), np.eye(2)[[0, 0, 1, 1]], names=("no_tumor", "tumor"))

    results = evaluate(table, resamples=20)

    assert results["sensitivity/no_tumor"]["n"] == results["specificity/tumor"]["n"] == 3
    assert results["ppv/tumor"]["n"] == results["detection/ppv"]["n"] == 2
    assert results["f1_macro"]["n"] == 4


def test_document_counts_images_groups_and_classes():
    document = results_document({"val": simulated(20, 2), "test": simulated(40, 4, seed=1)}, resamples=10)

    assert document["n"]["test"]["images"] == 40
    assert document["n"]["test"]["groups"] == 10
    assert sum(document["n"]["val"]["per_class"].values()) == 20
    assert document["val"]["accuracy"]["ci_low"] <= document["val"]["accuracy"]["value"]
