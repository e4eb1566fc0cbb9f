import numpy as np
import pytest
from factories import predictions
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.evaluation.decisions.conformal import evaluate_sets, prediction_sets, thresholds

NAMES = ("a", "b", "c")


def calibrated(n, seed):
    """Images whose labels are drawn from their probabilities."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(3, 0.6), n)
    return predictions((p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), p, names=NAMES)


def test_quantile_by_hand():
    """Nine scores 0.1 … 0.9: the ⌈10 · 0.8⌉-th is 0.8; for 0.95 there are too few, and all classes are in the set."""
    true = 1 - np.arange(1, 10) / 10
    val = predictions(np.zeros(9, int), np.stack([true, 1 - true], axis=1), names=("a", "b"))

    assert thresholds(val, 0.8, by_class=False).tolist() == pytest.approx([0.8, 0.8])
    assert thresholds(val, 0.95, by_class=False).tolist() == [1.0, 1.0]
    assert thresholds(val, 0.8, by_class=True).tolist() == pytest.approx([0.8, 1.0])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_coverage_holds_on_validation(seed, coverage):
    val = calibrated(60, seed)

    covered = prediction_sets(val, thresholds(val, coverage, by_class=False))[np.arange(60), val.labels]

    assert covered.mean() >= coverage - 1e-9


@pytest.mark.parametrize("by_class", [False, True])
def test_coverage_holds_on_new_data(by_class):
    """Over 200 draws of both sets the mean coverage is the stated one, with ``by_class`` of each class too."""
    overall, of_class = [], []
    for seed in range(200):
        val, test = calibrated(150, 2 * seed), calibrated(150, 2 * seed + 1)
        covered = prediction_sets(test, thresholds(val, 0.85, by_class))[np.arange(150), test.labels]
        overall.append(covered.mean())
        of_class.append([covered[test.labels == c].mean() for c in range(3)])

    assert np.mean(overall) == pytest.approx(0.855, abs=0.015)
    if by_class:
        np.testing.assert_allclose(np.mean(of_class, axis=0), 0.86, atol=0.02)


def test_sizes_and_coverage_by_hand():
    members = np.array([[True, False, False], [True, True, False], [False, False, False]])
    test = predictions(np.array([0, 2, 2]), np.full((3, 3), 1 / 3), names=NAMES)

    values = evaluate_sets(test, members, resamples=20)

    assert values["coverage"]["value"] == pytest.approx(1 / 3)
    assert values["coverage/a"]["value"] == 1
    assert values["coverage/c"]["value"] == 0
    assert values["coverage/b"]["value"] is None
    assert values["size"]["value"] == 1
    assert values["single"]["value"] == values["empty"]["value"] == pytest.approx(1 / 3)
    assert values["coverage/c"]["n"] == 2
