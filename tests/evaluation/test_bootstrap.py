import time

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from test_metrics import predictions

from brain_tumor.evaluation.bootstrap import group_weights, intervals
from brain_tumor.evaluation.results import evaluate, results_document


def simulated(n=200, group_size=1, seed=0):
    """Groups that are right or wrong as a whole."""
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
    monkeypatch.setattr("brain_tumor.evaluation.bootstrap._CHUNK_CELLS", 70)

    parts = list(group_weights(np.arange(10), 50, seed=0))

    assert len(parts) > 5
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_interval_of_accuracy_equals_the_plain_bootstrap():
    table = simulated()
    found = table.probabilities.argmax(axis=1)
    rng = np.random.default_rng(7)
    plain = []
    for _ in range(2000):
        rows = rng.integers(0, 200, 200)
        plain.append(accuracy_score(table.labels[rows], found[rows]))

    low, high = intervals(table, resamples=2000)["accuracy"]

    assert (low, high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.012)


def test_grouped_data_have_wider_intervals():
    alone, grouped = (intervals(simulated(group_size=size))["accuracy"] for size in (1, 10))

    assert np.ptp(grouped) > 1.8 * np.ptp(alone)


def test_undefined_metrics_are_null():
    table = predictions(np.zeros(4, int), np.tile([0.7, 0.2, 0.1], (4, 1)))

    results = evaluate(table, resamples=20)

    assert results["auroc"] == {"value": None, "ci_low": None, "ci_high": None}
    assert results["accuracy"] == {"value": 1.0, "ci_low": 1.0, "ci_high": 1.0}


def test_document_counts_images_groups_and_classes():
    document = results_document({"val": simulated(20, 2), "test": simulated(40, 4, seed=1)}, resamples=10)

    assert document["n"]["test"]["images"] == 40
    assert document["n"]["test"]["groups"] == 10
    assert sum(document["n"]["val"]["per_class"].values()) == 20
    assert document["val"]["accuracy"]["ci_low"] <= document["val"]["accuracy"]["value"]


@pytest.mark.slow  # a time holds only on a machine that does nothing else
def test_two_thousand_resamples_of_two_thousand_images_take_seconds():
    rng = np.random.default_rng(0)
    table = predictions(rng.integers(0, 4, 2000), rng.dirichlet(np.ones(4), 2000))

    start = time.perf_counter()
    intervals(table, resamples=2000)

    assert time.perf_counter() - start < 15  # 2 s alone; tests share the machine
