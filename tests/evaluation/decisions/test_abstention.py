import numpy as np
import pytest
from factories import predictions
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from brain_tumor.evaluation.decisions.abstention import (
    abstention_threshold,
    aurc,
    evaluate_abstention,
    risk_coverage,
)


def table(confidences, correct):
    confidences = np.array(confidences, float)
    p = np.stack([confidences, 1 - confidences], axis=1)
    return predictions(np.where(correct, 0, 1), p, names=("a", "b"))


def test_curve_and_area_by_hand():
    """By descending confidence: correct, wrong, then two equal confidences, correct and wrong."""
    predicted = table([0.9, 0.8, 0.6, 0.6], [True, False, True, False])

    curve = risk_coverage(predicted)

    assert curve["coverage"].tolist() == [0.25, 0.5, 1.0]
    assert curve["risk"].tolist() == [0.0, 0.5, 0.5]
    assert aurc(predicted, np.ones((1, 4)))[0] == pytest.approx((0 + 0.5 + 2 * 0.5) / 4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(51, 99), st.booleans(), st.integers(0, 3)), min_size=1, max_size=20))
def test_weights_equal_repetitions(rows):
    confidence, correct, times = map(np.array, zip(*rows, strict=True))
    if not times.any():
        times = times + 1
    predicted, repeated = (
        table(confidence / 100, correct), table(np.repeat(confidence / 100, times), np.repeat(correct, times))
    )  # fmt: skip

    weighted = aurc(predicted, times[None].astype(float))

    np.testing.assert_allclose(weighted, aurc(repeated, np.ones((1, times.sum()))))


def test_metrics_are_those_of_answered_images():
    rng = np.random.default_rng(0)
    labels, p = rng.integers(0, 3, 200), rng.dirichlet(np.ones(3), 200)
    predicted = predictions(labels, p)
    threshold = abstention_threshold(predicted, 0.25)
    answered = p.max(axis=1) >= threshold

    values = evaluate_abstention(predicted, threshold, resamples=50)

    assert values["coverage"]["value"] == pytest.approx(0.75)
    assert values["accuracy"]["value"] == pytest.approx(accuracy_score(labels[answered], p.argmax(1)[answered]))
    macro = f1_score(labels[answered], p.argmax(1)[answered], average="macro")
    assert values["f1_macro"]["value"] == pytest.approx(macro)
    assert values["accuracy"]["n"] == 150


def test_share_zero_answers_all_images():
    predicted = table([0.9, 0.6], [True, False])

    assert abstention_threshold(predicted, 0) == 0
    assert evaluate_abstention(predicted, 0.0, resamples=20)["coverage"]["value"] == 1


def test_long_curves_are_thinned():
    curve = risk_coverage(table(np.linspace(0.51, 0.99, 1000), np.ones(1000, bool)))

    assert len(curve) <= 200
    assert curve["coverage"].iloc[-1] == 1
