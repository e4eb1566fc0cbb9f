import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.evaluation.comparison.significance_tests import holm


def test_by_hand():
    """0.005 × 4, 0.01 × 3, 0.03 × 2; 0.04 × 1 is less than the one before it, which it may not be."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_what_is_undefined_was_no_test():
    assert holm([None, 0.02, None, 0.04]) == [None, 0.04, None, 0.04]


def test_none_at_all():
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_between_itself_and_bonferroni(p):
    found = np.array(holm(p))

    assert (found >= np.array(p) - 1e-12).all()
    assert (found <= np.minimum(np.array(p) * len(p), 1) + 1e-12).all()
    order = np.argsort(p)
    assert (np.diff(found[order]) >= -1e-12).all()
