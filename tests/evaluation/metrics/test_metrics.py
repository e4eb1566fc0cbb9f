"""Against scikit-learn with sample_weight, on random tables with ties, absent classes and weights of 0."""

import warnings

import numpy as np
import pytest
from factories import NAMES, predictions
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.linear_model import LogisticRegression

from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.metrics.probability import ECE_BINS, recalibration


@st.composite
def tables(draw):
    """Labels from some of 2 to 4 classes, probabilities on a coarse grid (ties), weights with zeros."""
    classes, n = draw(st.integers(2, 4)), draw(st.integers(1, 25))
    labels = draw(st.lists(st.integers(0, draw(st.integers(0, classes - 1))), min_size=n, max_size=n))
    counts = draw(st.lists(st.lists(st.integers(1, 4), min_size=classes, max_size=classes), min_size=n, max_size=n))
    weights = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any))
    p = np.array(counts, float)
    return np.array(labels), p / p.sum(axis=1, keepdims=True), np.array(weights, float)


def expected(labels, p, weights, names):
    """scikit-learn's metrics of the weighted sample; images of weight 0 are left out."""
    kept = weights > 0
    labels, p, w = labels[kept], p[kept], weights[kept]
    predicted, every = p.argmax(axis=1), range(p.shape[1])
    one_hot = np.eye(p.shape[1])[labels]
    values = {
        "accuracy": reference.accuracy_score(labels, predicted, sample_weight=w),
        "f1_macro": reference.f1_score(labels, predicted, average="macro", sample_weight=w, zero_division=0),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted, sample_weight=w),
        "mcc": reference.matthews_corrcoef(labels, predicted, sample_weight=w),
        "kappa": reference.cohen_kappa_score(labels, predicted, sample_weight=w),
        "nll": reference.log_loss(labels, p, sample_weight=w, labels=list(every)),
        "brier": np.average(((p - one_hot) ** 2).sum(axis=1), weights=w),
    }
    values["loss"] = values["nll"]
    for c in every:
        positive, called, name = labels == c, predicted == c, names[c]
        tp, fp = w[positive & called].sum(), w[~positive & called].sum()
        fn, tn = w[positive & ~called].sum(), w[~positive & ~called].sum()
        values |= {
            f"sensitivity/{name}": tp / (tp + fn) if tp + fn else np.nan,
            f"specificity/{name}": tn / (tn + fp) if tn + fp else np.nan,
            f"ppv/{name}": tp / (tp + fp) if tp + fp else np.nan,
            f"npv/{name}": tn / (tn + fn) if tn + fn else np.nan,
            f"f1/{name}": 2 * tp / (2 * tp + fp + fn) if 2 * tp + fp + fn else np.nan,
            f"auroc/{name}": area(positive, p[:, c], w),
            f"auprc/{name}": precision(positive, p[:, c], w),
        }
    for kind in ("auroc", "auprc"):
        each = [values[f"{kind}/{names[c]}"] for c in every]
        values[kind] = np.nanmean(each) if np.isfinite(each).any() else np.nan
    return values


def area(positive, score, w):
    both = positive.any() and not positive.all()
    return reference.roc_auc_score(positive, score, sample_weight=w) if both else np.nan


def precision(positive, score, w):
    return reference.average_precision_score(positive, score, sample_weight=w) if positive.any() else np.nan


@settings(max_examples=50, deadline=None)
@given(tables())
def test_every_metric_equals_scikit_learn(table):
    labels, p, weights = table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of absent classes
        scikit_learn = expected(labels, p, weights, NAMES)

    values = metric_values(predictions(labels, p), weights[None])

    for name, value in scikit_learn.items():
        np.testing.assert_allclose(values[name][0], value, atol=1e-9, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(tables().filter(lambda table: table[1].shape[1] >= 3))
def test_detection_is_tumour_against_healthy(table):
    labels, p, weights = table
    tumour, called = labels != 2, p.argmax(axis=1) != 2
    w = weights
    tp, fp = w[tumour & called].sum(), w[~tumour & called].sum()
    fn, tn = w[tumour & ~called].sum(), w[~tumour & ~called].sum()

    values = metric_values(predictions(labels, p), weights[None])

    for name, (up, down) in {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "ppv": (tp, tp + fp),
        "npv": (tn, tn + fn),
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
    }.items():
        np.testing.assert_allclose(values[f"detection/{name}"][0], up / down if down else np.nan, atol=1e-9)
    kept = w > 0
    np.testing.assert_allclose(values["detection/auroc"][0], area(tumour[kept], 1 - p[kept, 2], w[kept]), atol=1e-9)
    np.testing.assert_allclose(
        values["detection/auprc"][0], precision(tumour[kept], 1 - p[kept, 2], w[kept]), atol=1e-9
    )


def test_weightings_together_equal_each_alone():
    rng = np.random.default_rng(0)
    table = predictions(rng.integers(0, 4, 40), rng.dirichlet(np.ones(4), 40))
    weights = rng.integers(0, 3, (5, 40)).astype(float)

    together = metric_values(table, weights)

    for row in range(5):
        for name, value in metric_values(table, weights[row : row + 1]).items():
            np.testing.assert_allclose(together[name][row], value[0], atol=1e-12)


def test_ece_by_hand():
    """Two bins: 0.62 (three images, two right) and 0.93 (one image, right)."""
    p = np.array([[0.62, 0.38], [0.62, 0.38], [0.38, 0.62], [0.07, 0.93]])

    values = metric_values(predictions(np.array([0, 1, 1, 1]), p, names=("a", "b")), np.ones((1, 4)))

    assert ECE_BINS == 15
    assert values["ece"][0] == pytest.approx((abs(2 - 3 * 0.62) + abs(1 - 0.93)) / 4)
    assert "detection/auroc" not in values


def test_nll_of_probability_zero_is_finite():
    values = metric_values(predictions(np.array([0]), np.array([[0.0, 1.0]])), np.ones((1, 1)))

    assert 700 < values["nll"][0] < 800


def test_bins_of_equal_mass_by_hand():
    """Thirty images of thirty confidences: two per bin."""
    top = np.linspace(0.6, 0.89, 30)
    labels = (np.arange(30) % 3 == 0).astype(int)
    table = predictions(labels, np.stack([top, 1 - top], axis=1), names=("a", "b"))

    values = metric_values(table, np.ones((1, 30)))

    gaps = ((labels == 0) - top).reshape(15, 2).sum(axis=1)
    assert values["ece_mass"][0] == pytest.approx(np.abs(gaps).sum() / 30)


def test_equal_confidences_share_a_bin():
    table = predictions(np.array([0] * 15 + [1] * 5), np.tile([0.75, 0.25], (20, 1)), names=("a", "b"))

    assert metric_values(table, np.ones((1, 20)))["ece_mass"][0] == pytest.approx(0)


def test_classwise_error_by_hand():
    """The first class's probability is 0.5 too high, the second's too low, the third is right."""
    table = predictions(np.array([1, 1]), np.tile([0.5, 0.5, 0.0], (2, 1)))

    assert metric_values(table, np.ones((1, 2)))["ece_classwise"][0] == pytest.approx((0.5 + 0.5 + 0) / 3)


@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_recalibration_equals_logistic_regression(slope):
    rng = np.random.default_rng(0)
    logit = rng.normal(0.3, 1.5, 400)
    positive = rng.random(400) < 1 / (1 + np.exp(-slope * logit + 0.4))
    weights = rng.integers(0, 3, (2, 400)).astype(float)
    score = 1 / (1 + np.exp(-logit))

    slopes, intercepts = recalibration(positive, score, weights)

    for row in range(2):
        fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(logit[:, None], positive, sample_weight=weights[row])
        assert slopes[row] == pytest.approx(fitted.coef_[0, 0], rel=1e-4)
        shifted = 1 / (1 + np.exp(-logit - intercepts[row]))  # at the optimum the mean is the share of positives
        assert np.average(shifted, weights=weights[row]) == pytest.approx(np.average(positive, weights=weights[row]))


@pytest.mark.parametrize("positive", [[True] * 6, [False] * 6, [False] * 3 + [True] * 3])
def test_recalibration_is_undefined_without_an_optimal_slope(positive):
    slope, _ = recalibration(np.array(positive), np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.8]), np.ones((1, 6)))

    assert np.isnan(slope[0])
