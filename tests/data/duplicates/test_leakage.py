import pandas as pd
import pytest

from brain_tumor.data.duplicates.leakage import leak_counts, leakage, random_split_leak, veto
from brain_tumor.data.samples import samples_table
from brain_tumor.errors import DataError


def samples(split, group=None, **columns):
    rows = pd.DataFrame({"split": split, "group": group or range(len(split)), **columns})
    return samples_table(rows.assign(sample_id=[f"{n:03d}" for n in range(len(rows))]))


def pairs(*rows):
    return pd.DataFrame(rows, columns=["left", "right", "kind", "similarity", "mirrored"])


def row(rows, known, side, label=""):
    return next(row for row in rows if (row["known"], row["side"], row["class"]) == (known, side, label))


TABLE = samples(
    [*["train"] * 3, "val", *["test"] * 4],
    [*"abcadabe"],
    label=[*"xxyxxyxy"],
    patient_id=["p1", "", "", "p1", "p2", "p1", "", ""],
)
PAIRS = pairs(
    (0, 3, "exact", 1.0, False),  # train–val
    (0, 5, "pixels", 1.0, False),  # train–test
    (1, 6, "near", 0.99, True),  # train–test, mirrored only
    (3, 5, "near", 0.99, False),  # val–test
    (2, 7, "related", 0.97, False),  # another group, known apart
    (4, 5, "near", 0.99, False),  # within the test
)


def test_counts_are_those_of_a_hand():
    found = row(leakage(TABLE, PAIRS), "train", "test")

    assert found == {
        "known": "train", "side": "test", "class": "", "images": 4, "exact": 0, "pixels": 1, "near_upright": 1,
        "near": 2, "patient": 1, "group": 2,
    }  # fmt: skip
    assert row(leakage(TABLE, PAIRS), "train", "val")["exact"] == 1
    assert row(leakage(TABLE, PAIRS), "val", "test")["group"] == 1
    assert row(leakage(TABLE, PAIRS), "train or val", "test")["near"] == 2


def test_classes_add_up():
    rows = leakage(TABLE, PAIRS)

    for known, side in (("train", "val"), ("train", "test"), ("val", "test"), ("train or val", "test")):
        classes = [one for one in rows if (one["known"], one["side"]) == (known, side) and one["class"]]
        total = row(rows, known, side)
        for name in ("images", "exact", "pixels", "near", "near_upright", "patient", "group"):
            assert sum(one[name] for one in classes) == total[name]


def test_what_is_left_out_leaks_nothing():
    table = samples(["train", "", "test"], [*"aab"], label=[*"xxy"])

    assert leak_counts(leakage(table, pairs((0, 1, "exact", 1.0, False)))) == {
        "val_in_train": 0, "test_in_train": 0, "test_in_val": 0,
    }  # fmt: skip


def test_random_splitting_leaks_what_it_must():
    everything = pairs(*((left, right, "near", 1.0, False) for left in range(60) for right in range(left)))

    assert random_split_leak(everything, 60) == 1
    assert random_split_leak(pairs(), 60) == 0
    assert random_split_leak(pairs((0, 1, "related", 0.97, False)), 2) == 0


def test_the_veto_says_counts_and_ways_out():
    with pytest.raises(DataError) as caught:
        veto(leakage(TABLE, PAIRS))

    message = str(caught.value)
    assert "2 of 4 test images show a patient or image of train (2 are copies)" in message
    assert "1 of 1 val images" in message
    assert "split=grouped" in message
    assert "split.allow_leakage=true" in message
    assert "\n" not in message


def test_no_leak_no_veto():
    veto(leakage(samples(["train", "val", "test"], label=[*"xxx"]), pairs()))
