import pandas as pd

from brain_tumor.data.duplicates.pairs import distinct_images, link
from brain_tumor.data.samples import samples_table


def groups(kind, **columns):
    """Are two samples that form a pair of this kind in one group?"""
    rows = pd.DataFrame({"sample_id": ["a", "b", "c"], "label": "x"} | columns)
    pairs = pd.DataFrame({"left": [0], "right": [1], "kind": [kind]})
    group = link(samples_table(rows), pairs)["group"].tolist()
    assert group[2] not in group[:2]
    return group[0] == group[1]


def test_copies_belong_together_whoever_is_said_to_be_on_them():
    for kind in ("exact", "pixels", "near"):
        assert groups(kind)
        assert groups(kind, patient_id=["p", "q", "r"], group=["1", "2", "3"])


def test_slices_of_one_head_belong_together_unless_known_apart():
    assert groups("related")
    assert groups("related", patient_id=["p", "", "r"])
    assert groups("related", patient_id=["p", "p", "r"])
    assert not groups("related", patient_id=["p", "q", "r"])
    assert not groups("related", group=["1", "2", "3"])


def test_distinct_pictures_count_copies_once():
    samples = samples_table(pd.DataFrame({"sample_id": [*"abcd"], "label": "x"}))
    pairs = pd.DataFrame({"left": [0, 1, 2], "right": [1, 2, 3], "kind": ["exact", "near", "related"]})

    assert distinct_images(samples, pairs) == 2
