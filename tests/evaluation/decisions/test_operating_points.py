import numpy as np
import pytest
from factories import detection, predictions
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.evaluation.decisions.operating_points import (
    choose_operating_points,
    evaluate_threshold,
    predicted_tumour,
)


def rates(table, threshold):
    """Sensitivity and specificity."""
    positive, tumour = predicted_tumour(table, threshold), table.labels == 1
    return (positive & tumour).sum() / tumour.sum(), (~positive & ~tumour).sum() / (~tumour).sum()


def test_points_by_hand():
    """Tumours at 0.2 0.6 0.8 0.9, healthy at 0.1 0.3 0.4 0.7."""
    table = detection([0.2, 0.6, 0.8, 0.9, 0.1, 0.3, 0.4, 0.7], [1, 1, 1, 1, 0, 0, 0, 0])

    points = choose_operating_points(table, sensitivity=0.75, specificity=1.0)

    assert points["sensitive"] == pytest.approx(0.5)
    assert points["specific"] == pytest.approx(0.75)
    assert points["balanced"] == pytest.approx(0.5)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=2, max_size=30).filter(
        lambda rows: len({tumour for _, tumour in rows}) == 2
    ),
    st.floats(0.01, 0.99),
)
def test_points_reach_the_target_and_no_threshold_does_better(rows, target):
    scores, tumour = zip(*rows, strict=True)
    table = detection(np.array(scores) / 10, tumour)

    points = choose_operating_points(table, target, target)

    thresholds = [-0.01, *np.unique(table.detection), 1.01]
    every = [rates(table, threshold) for threshold in thresholds]
    sensitive, specific = rates(table, points["sensitive"]), rates(table, points["specific"])
    assert sensitive[0] >= target
    assert specific[1] >= target
    assert points["sensitive"] <= points["balanced"] <= points["specific"]
    assert sum(rates(table, points["balanced"])) == pytest.approx(max(map(sum, every)))
    if points["sensitive"] < points["balanced"]:
        assert sensitive[1] == max(specificity for sensitivity, specificity in every if sensitivity >= target)
    if points["specific"] > points["balanced"]:
        assert specific[0] == max(sensitivity for sensitivity, specificity in every if specificity >= target)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30))
def test_a_perfect_model_pays_nothing(seed, tumours, healthy):
    """Every threshold between healthy images and tumours reaches both targets; no point gives anything away."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.uniform(0.6, 1, tumours), rng.uniform(0, 0.4, healthy)])
    table = detection(scores, [1] * tumours + [0] * healthy)

    points = choose_operating_points(table, 0.95, 0.95)

    assert all(rates(table, threshold) == (1, 1) for threshold in points.values())


def test_no_points_without_healthy_images_or_a_healthy_class():
    assert choose_operating_points(detection([0.2, 0.4], [1, 1]), 0.9, 0.9) == {}
    assert (
        choose_operating_points(predictions(np.array([0, 1]), np.full((2, 2), 0.5), names=("a", "b")), 0.9, 0.9) == {}
    )


def test_values_by_hand():
    """3 of 4 tumours and 1 of 5 healthy images reach the threshold."""
    table = detection([0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1], [1, 1, 1, 1, 0, 0, 0, 0, 0])

    values = evaluate_threshold(table, 0.5, prevalence=0.1, resamples=200)

    expected = {"sensitivity": (3 / 4, 4), "specificity": (4 / 5, 5), "ppv": (3 / 4, 4), "npv": (4 / 5, 5)}
    expected |= {"ppv_at_prevalence": (0.075 / (0.075 + 0.18), 9), "npv_at_prevalence": (0.72 / (0.72 + 0.025), 9)}
    assert {name: (pytest.approx(metric["value"]), metric["n"]) for name, metric in values.items()} == expected
    assert all(metric["ci_low"] <= metric["value"] <= metric["ci_high"] for metric in values.values())


def test_metrics_without_images_are_undefined():
    values = evaluate_threshold(detection([0.9, 0.8], [1, 1]), 0.5, prevalence=0.1, resamples=20)

    assert values["specificity"]["value"] is None
    assert values["npv"]["value"] is None
    assert values["sensitivity"]["value"] == 1.0
