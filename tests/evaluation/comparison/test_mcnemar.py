import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from brain_tumor.evaluation.comparison.significance_tests import mcnemar


def outcome(both, only_first, only_second, neither):
    """Where each of two models is right, from the four counts."""
    first = np.repeat([True, True, False, False], [both, only_first, only_second, neither])
    second = np.repeat([True, False, True, False], [both, only_first, only_second, neither])
    return mcnemar(first, second)


def test_published_example_of_airways():
    """Bentur's 21 children before and after transplantation, in Fagerland, Lydersen & Laake (2013)."""
    found = outcome(1, 1, 7, 12)

    assert (found["only_first"], found["only_second"]) == (1, 7)
    assert found["p"] == pytest.approx(0.0703, abs=5e-5)
    assert found["mid_p"] == pytest.approx(0.0391, abs=5e-5)


def test_published_example_of_sputum():
    """Fifty specimens on two media: Armitage & Berry (1994), p. 127."""
    assert outcome(20, 12, 2, 16)["p"] == pytest.approx(0.0129, abs=5e-5)


def test_no_image_tells_them_apart():
    assert outcome(5, 0, 0, 5) == {"only_first": 0, "only_second": 0, "p": 1.0, "mid_p": 1.0}


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_the_sum_of_the_binomial(b, c):
    """Twice the smaller tail, at most 1; the mid-p counts half of what was found (1 − half where both are equal)."""
    found, at = outcome(2, b, c, 2), binom.pmf(min(b, c), b + c, 0.5)

    assert found["p"] == pytest.approx(min(1, 2 * sum(binom.pmf(k, b + c, 0.5) for k in range(min(b, c) + 1))))
    assert found["p"] == pytest.approx(outcome(2, c, b, 2)["p"])
    if b + c:
        assert found["mid_p"] == pytest.approx(found["p"] - at if b != c else 1 - at / 2)
