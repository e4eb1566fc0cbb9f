import numpy as np
import pytest
from factories import detection, predictions
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.evaluation.decisions.operating_points import judged, operating_points, said_tumour


def rates(found, threshold):
    said, tumour = said_tumour(found, threshold), found.labels == 1
    return (said & tumour).sum() / tumour.sum(), (~said & ~tumour).sum() / (~tumour).sum()


def test_points_by_hand():
    """Tumours at 0.2 0.6 0.8 0.9, healthy at 0.1 0.3 0.4 0.7."""
    found = detection([0.2, 0.6, 0.8, 0.9, 0.1, 0.3, 0.4, 0.7], [1, 1, 1, 1, 0, 0, 0, 0])

    points = operating_points(found, sensitivity=0.75, specificity=1.0)

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
def test_points_reach_what_is_asked_and_no_other_does_better(rows, asked):
    scores, tumour = zip(*rows, strict=True)
    found = detection(np.array(scores) / 10, tumour)

    points = operating_points(found, asked, asked)

    thresholds = [-0.01, *np.unique(found.detection), 1.01]
    every = [rates(found, threshold) for threshold in thresholds]
    sensitive, specific = rates(found, points["sensitive"]), rates(found, points["specific"])
    assert sensitive[0] >= asked
    assert specific[1] >= asked
    assert sensitive[1] == max(spared for hit, spared in every if hit >= asked)
    assert specific[0] == max(hit for hit, spared in every if spared >= asked)
    assert sum(rates(found, points["balanced"])) == pytest.approx(max(map(sum, every)))


def test_no_points_where_nothing_can_be_told():
    assert operating_points(detection([0.2, 0.4], [1, 1]), 0.9, 0.9) == {}
    assert operating_points(predictions(np.array([0, 1]), np.full((2, 2), 0.5), names=("a", "b")), 0.9, 0.9) == {}


def test_values_by_hand():
    """3 of 4 tumours and 1 of 5 healthy are called a tumour."""
    found = detection([0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1], [1, 1, 1, 1, 0, 0, 0, 0, 0])

    values = judged(found, 0.5, prevalence=0.1, resamples=200)

    wanted = {"sensitivity": (3 / 4, 4), "specificity": (4 / 5, 5), "ppv": (3 / 4, 4), "npv": (4 / 5, 5)}
    wanted |= {"ppv_at_prevalence": (0.075 / (0.075 + 0.18), 9), "npv_at_prevalence": (0.72 / (0.72 + 0.025), 9)}
    assert {name: (pytest.approx(one["value"]), one["n"]) for name, one in values.items()} == wanted
    assert all(one["ci_low"] <= one["value"] <= one["ci_high"] for one in values.values())


def test_sides_without_images_are_undefined():
    values = judged(detection([0.9, 0.8], [1, 1]), 0.5, prevalence=0.1, resamples=20)

    assert values["specificity"]["value"] is None
    assert values["npv"]["value"] is None
    assert values["sensitivity"]["value"] == 1.0
