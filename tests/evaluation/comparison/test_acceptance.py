import numpy as np
import pytest
from rivals import NAMES, field, frame, table, truth

from brain_tumor.evaluation.comparison.acceptance import AcceptanceCriteria, check_acceptance
from brain_tumor.evaluation.comparison.resampling import compare
from brain_tumor.evaluation.predictions import Predictions

LABELS = truth(400)
COLUMNS = [f"p_{name}" for name in NAMES]
CLEAN = {"old": 0, "new": 0}


def check(new, old=None, criteria=None, leaks=CLEAN):
    rivals = field(old=old or table(LABELS, 0.9), new=new)
    (change,) = check_acceptance(compare(rivals, resamples=300), "old", criteria or AcceptanceCriteria(), leaks)
    assert (change["champion"], change["candidate"]) == ("old", "new")
    assert change["passed"] == all(criterion["passed"] for criterion in change["criteria"])
    return {criterion["name"]: criterion["passed"] for criterion in change["criteria"]}, change


def altered(change):
    given = frame(LABELS, 0.9)
    given[COLUMNS] = change(given[COLUMNS].to_numpy(copy=True))
    return Predictions.from_frame(given)


def test_an_equal_candidate_passes():
    passed, change = check(table(LABELS, 0.9))

    assert set(passed) == {
        "test images",
        "macro-F1",
        "detection sensitivity",
        "detection specificity",
        "ECE",
        "leakage",
    }
    assert all(passed.values())
    assert change["metrics"]["f1_macro"]["difference"]["value"] == 0


def test_a_worse_candidate_does_not_pass():
    passed, change = check(table(LABELS, 0.7, seed=1))

    assert not passed["macro-F1"]
    assert change["metrics"]["f1_macro"]["difference"]["ci_high"] < 0


def test_as_good_but_unproven_is_not_non_inferior():
    """Equally good on other images: the interval reaches below the margin."""
    passed, change = check(table(LABELS, 0.9, seed=7))

    assert change["metrics"]["f1_macro"]["difference"]["ci_low"] < -0.01
    assert not passed["macro-F1"]
    assert check(table(LABELS, 0.9, seed=7), criteria=AcceptanceCriteria(f1_macro=0.2))[0]["macro-F1"]


def test_missed_tumours():
    """As confident, but some tumours are called healthy."""

    def miss(p):
        rows = np.flatnonzero((LABELS != 2) & (p.argmax(axis=1) == LABELS))[:12]
        for row in rows:
            top = p[row].argmax()
            p[row, [top, 2]] = p[row, [2, top]]
        return p

    passed, _ = check(altered(miss))

    assert not passed["detection sensitivity"]


def test_overconfidence():
    def sharpen(p):
        sharp = p**12
        return sharp / sharp.sum(axis=1, keepdims=True)

    doubtful = altered(lambda p: p)
    passed, change = check(altered(sharpen), doubtful)

    assert passed["macro-F1"]
    worse = change["metrics"]["ece"]["difference"]["value"]
    assert passed["ECE"] == (worse <= 0.02)
    assert check(altered(sharpen), doubtful, AcceptanceCriteria(ece=abs(worse) + 0.001))[0]["ECE"]
    assert not check(altered(sharpen), doubtful, AcceptanceCriteria(ece=worse - 0.001))[0]["ECE"]


@pytest.mark.parametrize(
    ("new", "old", "passed"),
    [
        (0, 0, True),
        (3, 3, True),
        (4, 3, False),
        (None, 0, False),
        (None, None, False),
        (0, None, True),
        (1, None, False),
    ],
)
def test_leaks(new, old, passed):
    assert check(table(LABELS, 0.9), leaks={"new": new, "old": old})[0]["leakage"] is passed


def test_criteria_can_be_left_out():
    passed, _ = check(table(LABELS, 0.2), criteria=AcceptanceCriteria(None, None, None, None, leakage=False))

    assert passed == {"test images": True}


def test_without_a_healthy_class_nothing_is_detected():
    names = ("glioma", "meningioma", "pituitary")
    labels = truth(90, names)
    passed, _ = check(table(labels, names=names), table(labels, names=names))

    assert not {"detection sensitivity", "detection specificity"} & set(passed)


def test_each_candidate_is_checked():
    rivals = field(old=table(LABELS, 0.8), same=table(LABELS, 0.8), bad=table(LABELS, 0.5, seed=1))
    leaks = dict.fromkeys(("old", "same", "bad"), 0)

    found = check_acceptance(compare(rivals, resamples=100), "old", AcceptanceCriteria(), leaks)

    assert {change["candidate"]: change["passed"] for change in found} == {"same": True, "bad": False}
