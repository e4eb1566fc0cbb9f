import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from brain_tumor.data.duplicates.groups import linked_groups


def test_rows_are_linked_through_both_keys():
    patient = pd.Series(["a", "a", "b", "", ""])
    pixels = pd.Series(["1", "2", "2", "3", "3"])

    np.testing.assert_array_equal(linked_groups(patient, pixels), [0, 0, 0, 1, 1])


@given(
    st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.sampled_from(["", "x", "y"])), min_size=1, max_size=30)
)
def test_groups_are_the_connected_components(rows):
    """Compared with a plain union by repeated relabelling."""
    first, second = (pd.Series(column) for column in zip(*rows, strict=True))
    expected = list(range(len(rows)))
    for _ in rows:
        for i, (a, b) in enumerate(rows):
            for j, (c, d) in enumerate(rows):
                if (a and a == c) or (b and b == d):
                    expected[i] = expected[j] = min(expected[i], expected[j])

    groups = linked_groups(first, second)

    assert (groups[:, None] == groups).tolist() == (np.array(expected)[:, None] == np.array(expected)).tolist()
