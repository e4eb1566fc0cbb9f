import numpy as np
import pytest
from rivals import NAMES, field, frame, table, truth

from brain_tumor.evaluation.comparison.acceptance import Rules, changes
from brain_tumor.evaluation.comparison.resampling import compare
from brain_tumor.evaluation.predictions import Predictions

LABELS = truth(400)
COLUMNS = [f"p_{name}" for name in NAMES]
CLEAN = {"old": 0, "new": 0}


def judge(new, old=None, rules=None, leaks=CLEAN):
    rivals = field(old=old or table(LABELS, 0.9), new=new)
    (change,) = changes(compare(rivals, resamples=300), "old", rules or Rules(), leaks)
    assert (change["champion"], change["candidate"]) == ("old", "new")
    assert change["passed"] == all(criterion["passed"] for criterion in change["criteria"])
    return {criterion["name"]: criterion["passed"] for criterion in change["criteria"]}, change


def altered(change):
    given = frame(LABELS, 0.9)
    given[COLUMNS] = change(given[COLUMNS].to_numpy(copy=True))
    return Predictions.from_frame(given)


def test_a_twin_passes():
    passed, change = judge(table(LABELS, 0.9))

    assert set(passed) == {"test images", "macro-F1", "detection sensitivity", "ECE", "leakage"}
    assert all(passed.values())
    assert change["metrics"]["f1_macro"]["difference"]["value"] == 0


def test_a_worse_one_does_not():
    passed, change = judge(table(LABELS, 0.7, seed=1))

    assert not passed["macro-F1"]
    assert change["metrics"]["f1_macro"]["difference"]["ci_high"] < 0


def test_as_good_but_unproven_is_not_non_inferior():
    """Equally good on other images: the interval reaches below the margin."""
    passed, change = judge(table(LABELS, 0.9, seed=7))

    assert change["metrics"]["f1_macro"]["difference"]["ci_low"] < -0.01
    assert not passed["macro-F1"]
    assert judge(table(LABELS, 0.9, seed=7), rules=Rules(f1_macro=0.2))[0]["macro-F1"]


def test_missed_tumours():
    """As confident, but some tumours are called healthy."""

    def miss(p):
        rows = np.flatnonzero((LABELS != 2) & (p.argmax(axis=1) == LABELS))[:12]
        for row in rows:
            top = p[row].argmax()
            p[row, [top, 2]] = p[row, [2, top]]
        return p

    passed, _ = judge(altered(miss))

    assert not passed["detection sensitivity"]


def test_overconfidence():
    def sharpen(p):
        sharp = p**12
        return sharp / sharp.sum(axis=1, keepdims=True)

    doubtful = altered(lambda p: p)
    passed, change = judge(altered(sharpen), doubtful)

    assert passed["macro-F1"]
    worse = change["metrics"]["ece"]["difference"]["value"]
    assert passed["ECE"] == (worse <= 0.02)
    assert judge(altered(sharpen), doubtful, Rules(ece=abs(worse) + 0.001))[0]["ECE"]
    assert not judge(altered(sharpen), doubtful, Rules(ece=worse - 0.001))[0]["ECE"]


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
    assert judge(table(LABELS, 0.9), leaks={"new": new, "old": old})[0]["leakage"] is passed


def test_gates_can_be_left_out():
    passed, _ = judge(table(LABELS, 0.2), rules=Rules(None, None, None, leakage=False))

    assert passed == {"test images": True}


def test_without_a_healthy_class_nothing_is_detected():
    names = ("glioma", "meningioma", "pituitary")
    labels = truth(90, names)
    passed, _ = judge(table(labels, names=names), table(labels, names=names))

    assert "detection sensitivity" not in passed


def test_each_candidate_is_judged():
    rivals = field(old=table(LABELS, 0.8), same=table(LABELS, 0.8), bad=table(LABELS, 0.5, seed=1))

    found = changes(compare(rivals, resamples=100), "old", Rules(), dict.fromkeys(("old", "same", "bad"), 0))

    assert {change["candidate"]: change["passed"] for change in found} == {"same": True, "bad": False}
