import numpy as np
import pytest
from factories import predictions
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax as reference

from brain_tumor.evaluation.calibration import calibrated, fit_temperature, softmax
from brain_tumor.evaluation.metrics.reliability import before_and_after, observed_accuracy


def sure(temperature, n=4000, seed=0):
    """Images whose logits are right before they are multiplied by a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 3))
    true = reference(logits, axis=1)
    labels = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return predictions(labels, reference(logits * temperature, axis=1))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    assert fit_temperature(sure(temperature)) == pytest.approx(temperature, rel=0.06)


def labelled(p):
    return predictions(np.zeros(len(p), int), p, names=tuple("abcde"))


def test_softmax_equals_scipys():
    logits = np.random.default_rng(0).normal(0, 100, (20, 4)).astype(np.float32)

    assert softmax(logits, 1.5) == pytest.approx(reference(logits.astype(float) / 1.5, axis=1))


def test_calibrated_probabilities_are_the_softmax_of_divided_logits():
    logits = np.random.default_rng(0).normal(size=(20, 4))
    table = labelled(reference(logits, axis=1))

    np.testing.assert_allclose(reference(table.logits, axis=1), table.probabilities, atol=1e-12)
    np.testing.assert_allclose(calibrated(table, 2.5).probabilities, reference(logits / 2.5, axis=1), atol=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=5).filter(lambda p: sum(p) > 0.1), st.floats(0.2, 5))
def test_scaling_keeps_the_order_and_the_sum(values, temperature):
    p = np.array([values]) / sum(values)

    scaled = calibrated(labelled(p), temperature).probabilities

    assert np.isfinite(scaled).all()
    assert scaled.sum() == pytest.approx(1)
    assert scaled[0, p.argmax()] == pytest.approx(scaled.max())


def test_scaling_back_gives_what_was():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 50)

    np.testing.assert_allclose(calibrated(calibrated(labelled(p), 1.7), 1 / 1.7).probabilities, p, atol=1e-9)


def test_a_table_without_errors_says_nothing():
    assert fit_temperature(predictions(np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]]))) == 1.0


def test_calibrating_lowers_the_error_and_moves_no_prediction():
    table = sure(3.0)

    found = before_and_after(table, fit_temperature(table), resamples=50)

    assert found["after"]["ece"]["value"] < 0.4 * found["before"]["ece"]["value"]
    assert found["after"]["nll"]["value"] < found["before"]["nll"]["value"]
    assert found["before"]["detection/slope"]["value"] < 0.5 < found["after"]["detection/slope"]["value"]
    np.testing.assert_array_equal(calibrated(table, 3.0).predicted, table.predicted)


@settings(deadline=None)
@given(n=st.integers(1, 500), seed=st.integers(0, 999), digits=st.integers(1, 6))
def test_observed_accuracy_counts_each_image_once(n, seed, digits):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(3, 0.5), n).round(digits) + 1e-9
    table = predictions(rng.integers(0, 3, n), p / p.sum(axis=1, keepdims=True))
    found = observed_accuracy(table)

    lows = [each["low"] for each in found]
    assert lows[0] == 0
    assert lows == sorted(set(lows))
    assert len(found) <= 10
    right = table.predicted == table.labels
    ranges = np.searchsorted(lows, table.probabilities.max(axis=1), side="right") - 1
    for number, each in enumerate(found):
        assert each["images"] == (ranges == number).sum() > 0
        assert each["right"] == right[ranges == number].sum()


def test_observed_accuracy_of_a_table_by_hand():
    confidence = np.repeat([0.6, 0.9], 20)
    table = predictions([0] * 12 + [1] * 8 + [0] * 19 + [1], np.stack([confidence, 1 - confidence], axis=1))

    assert observed_accuracy(table) == [
        {"low": 0.0, "images": 20, "right": 12},
        {"low": 0.9, "images": 20, "right": 19},
    ]
