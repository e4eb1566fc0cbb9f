"""Against published examples, the definition written out, and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm
from sklearn.metrics import roc_auc_score

from brain_tumor.evaluation.comparison.significance_tests import delong, placements

# Albumin, total protein, Krebs-Goplerud score and outcome of 43 patients with ovarian cancer: the data of DeLong et al.
# (1988) as the SAS/STAT manual gives them ("Comparing Receiver Operating Characteristic Curves").
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def slow(positive, score):
    """DeLong's structural components by their definition, in O(positives × negatives)."""
    up, down = score[positive], score[~positive]
    beats = (up[:, None] > down).astype(float) + 0.5 * (up[:, None] == down)
    return beats.mean(axis=1), beats.mean(axis=0)


def slow_covariance(positive, scores):
    above, below = zip(*(slow(positive, score) for score in scores), strict=True)
    return np.cov(above) / positive.sum() + np.cov(below) / (~positive).sum()


def test_published_example_of_ovarian_cancer():
    """The manual's contrast of all three curves: chi-square 2.5340 with 2 degrees of freedom, p 0.2817."""
    albumin, protein, score, outcome = np.array(OVARIAN.split(), float).reshape(-1, 4).T
    died = outcome == 0
    places = [placements(died, -values) for values in (albumin, 10 - score, protein)]
    first, second, third = (
        delong(a, b) for a, b in ((places[0], places[1]), (places[2], places[1]), (places[0], places[2]))
    )
    variances = [pair["standard_error"] ** 2 for pair in (first, second, third)]
    shared = (variances[0] + variances[1] - variances[2]) / 2
    covariance = np.array([[variances[0], shared], [shared, variances[1]]])
    contrast = np.array([first["difference"], second["difference"]])

    statistic = contrast @ np.linalg.solve(covariance, contrast)

    assert statistic == pytest.approx(2.5340, abs=5e-5)
    assert chi2.sf(statistic, 2) == pytest.approx(0.2817, abs=5e-5)


def answers(draw, n):
    return np.array(draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)), float)


@st.composite
def cases(draw):
    """Few different scores, so that many are tied; at least two images on each side."""
    n = draw(st.integers(4, 30))
    positive = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    positive[:4] = [True, True, False, False]
    return positive, answers(draw, n), answers(draw, n)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_equals_the_definition(case):
    positive, first, second = case
    covariance = slow_covariance(positive, [first, second])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]

    found = delong(placements(positive, first), placements(positive, second))

    assert found["first"] == pytest.approx(roc_auc_score(positive, first))
    assert found["second"] == pytest.approx(roc_auc_score(positive, second))
    assert found["standard_error"] == pytest.approx(np.sqrt(max(variance, 0)), abs=1e-7)
    if variance > 1e-12:
        z = found["difference"] / np.sqrt(variance)
        assert found["p"] == pytest.approx(2 * norm.sf(abs(z)))
        assert (found["ci_low"] > 0 or found["ci_high"] < 0) == (found["p"] < 0.05)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_placements_equal_the_definition(case):
    positive, score, _ = case
    above, below = slow(positive, score)

    found = placements(positive, score)

    np.testing.assert_allclose(found.above, above)
    np.testing.assert_allclose(found.below, below)


def test_a_model_does_not_differ_from_itself():
    rng = np.random.default_rng(0)
    one = placements(rng.random(50) < 0.4, rng.random(50))

    found = delong(one, one)

    assert (found["difference"], found["standard_error"], found["p"]) == (0, 0, 1)


def test_perfect_and_perfectly_wrong_models_have_no_variance():
    positive = np.array([True, True, False, False])

    found = delong(placements(positive, positive * 1.0), placements(positive, -1.0 * positive))

    assert (found["difference"], found["p"]) == (1, None)


@pytest.mark.parametrize("positives", [0, 1, 4, 5])
def test_one_image_a_side_says_nothing(positives):
    assert placements(np.arange(5) < positives, np.arange(5.0)) is None


def test_the_test_keeps_its_level():
    """Two equally good models: p is below 0.05 in about 5 % of data sets."""
    rng = np.random.default_rng(1)
    positive = np.arange(120) < 60
    p = []
    for _ in range(1000):
        signal = rng.normal(size=120) + positive
        first, second = (placements(positive, signal + rng.normal(size=120)) for _ in range(2))
        p.append(delong(first, second)["p"])

    assert 0.03 < np.mean(np.array(p) < 0.05) < 0.07
