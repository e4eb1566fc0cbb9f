"""Against scikit-learn with sample_weight, on random tables with ties, absent classes and weights of 0."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from brain_tumor.evaluation.metrics import ECE_BINS, metric_values
from brain_tumor.evaluation.predictions import Predictions

NAMES = ("glioma", "meningioma", "no_tumor", "pituitary")


def predictions(labels, probabilities, names=NAMES, groups=None):
    frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in names[: probabilities.shape[1]]])
    frame["label"] = np.array(names)[labels]
    frame["sample_id"] = [str(n) for n in range(len(labels))]
    return Predictions.from_frame(frame if groups is None else frame.assign(group=groups))


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
    """What scikit-learn says of the weighted sample (images of weight 0 left out)."""
    kept = weights > 0
    labels, p, w = labels[kept], p[kept], weights[kept]
    found, every = p.argmax(axis=1), range(p.shape[1])
    one_hot = np.eye(p.shape[1])[labels]
    values = {
        "accuracy": reference.accuracy_score(labels, found, sample_weight=w),
        "f1_macro": reference.f1_score(labels, found, average="macro", sample_weight=w, zero_division=0),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, found, sample_weight=w),
        "mcc": reference.matthews_corrcoef(labels, found, sample_weight=w),
        "nll": reference.log_loss(labels, p, sample_weight=w, labels=list(every)),
        "brier": np.average(((p - one_hot) ** 2).sum(axis=1), weights=w),
    }
    values["loss"] = values["nll"]
    areas = []
    for c in every:
        positive, said, name = labels == c, found == c, names[c]
        tp, fp = w[positive & said].sum(), w[~positive & said].sum()
        fn, tn = w[positive & ~said].sum(), w[~positive & ~said].sum()
        values |= {
            f"sensitivity/{name}": tp / (tp + fn) if tp + fn else np.nan,
            f"specificity/{name}": tn / (tn + fp) if tn + fp else np.nan,
            f"ppv/{name}": tp / (tp + fp) if tp + fp else np.nan,
            f"npv/{name}": tn / (tn + fn) if tn + fn else np.nan,
            f"f1/{name}": 2 * tp / (2 * tp + fp + fn) if 2 * tp + fp + fn else np.nan,
            f"auroc/{name}": area(positive, p[:, c], w),
        }
        areas.append(values[f"auroc/{name}"])
    values["auroc"] = np.nanmean(areas) if np.isfinite(areas).any() else np.nan
    return values


def area(positive, score, w):
    both = positive.any() and not positive.all()
    return reference.roc_auc_score(positive, score, sample_weight=w) if both else np.nan


@settings(max_examples=150, deadline=None)
@given(tables())
def test_every_metric_equals_scikit_learn(table):
    labels, p, weights = table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of absent classes
        wanted = expected(labels, p, weights, NAMES)

    found = metric_values(predictions(labels, p), weights[None])

    for name, value in wanted.items():
        np.testing.assert_allclose(found[name][0], value, atol=1e-9, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(tables().filter(lambda table: table[1].shape[1] >= 3))
def test_detection_is_tumour_against_healthy(table):
    labels, p, weights = table
    tumour, said = labels != 2, p.argmax(axis=1) != 2
    w = weights
    tp, fp = w[tumour & said].sum(), w[~tumour & said].sum()
    fn, tn = w[tumour & ~said].sum(), w[~tumour & ~said].sum()

    found = metric_values(predictions(labels, p), weights[None])

    for name, (up, down) in {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "f1": (2 * tp, 2 * tp + fp + fn),
    }.items():
        np.testing.assert_allclose(found[f"detection/{name}"][0], up / down if down else np.nan, atol=1e-9)
    kept = w > 0
    np.testing.assert_allclose(found["detection/auroc"][0], area(tumour[kept], 1 - p[kept, 2], w[kept]), atol=1e-9)


def test_many_weightings_at_once_equal_each_alone():
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

    found = metric_values(predictions(np.array([0, 1, 1, 1]), p, names=("a", "b")), np.ones((1, 4)))

    assert ECE_BINS == 15
    assert found["ece"][0] == pytest.approx((abs(2 - 3 * 0.62) + abs(1 - 0.93)) / 4)
    assert "detection/auroc" not in found


def test_impossible_label_costs_much_but_not_infinity():
    found = metric_values(predictions(np.array([0]), np.array([[0.0, 1.0]])), np.ones((1, 1)))

    assert 700 < found["nll"][0] < 800
