import numpy as np
import pytest
from rivals import NAMES, field, frame, table, truth
from sklearn.metrics import accuracy_score, f1_score

from brain_tumor.evaluation.comparison.resampling import Resampled, best_shares, difference, resample
from brain_tumor.evaluation.metrics.bootstrap import group_weights
from brain_tumor.evaluation.predictions import Predictions

LABELS = truth(120)


def test_draws_are_the_metric_of_each_resample():
    candidates = field(a=table(LABELS, group_size=3), b=table(LABELS, seed=1, group_size=3))
    one = candidates[0].tables[0]
    found = one.probabilities.argmax(axis=1)
    weights = np.concatenate(list(group_weights(one.groups, 20, seed=5)))

    drawn = resample(candidates, 20, seed=5)[0]

    for metric, reference in {
        "accuracy": lambda w: accuracy_score(one.labels, found, sample_weight=w),
        "f1_macro": lambda w: f1_score(one.labels, found, sample_weight=w, average="macro"),
    }.items():
        np.testing.assert_allclose(drawn[metric].draws, [reference(row) for row in weights])
        assert drawn[metric].value == pytest.approx(reference(None))
    assert drawn["accuracy"].sd is None


def test_all_meet_the_same_patients_in_the_same_resample():
    twin = table(LABELS, seed=3)

    first, second = resample(field(a=twin, b=twin), 50, seed=0)

    np.testing.assert_array_equal(first["auroc"].draws, second["auroc"].draws)
    found = difference(first["auroc"], second["auroc"], 0.95)
    assert found == {"value": 0.0, "ci_low": 0.0, "ci_high": 0.0, "p": 1.0}


def test_pairing_makes_the_interval_narrower():
    """Models that stumble over the same images differ less than their own intervals suggest."""
    given = frame(LABELS, 0.7)
    slips = given.copy()
    columns = [f"p_{name}" for name in NAMES]
    slips.loc[:5, columns] = np.roll(slips.loc[:5, columns].to_numpy(), 1, axis=1)

    first, second = resample(field(a=Predictions.from_frame(given), b=Predictions.from_frame(slips)), 500, seed=0)

    apart = np.hypot(first["accuracy"].draws.std(), second["accuracy"].draws.std())
    assert (first["accuracy"].draws - second["accuracy"].draws).std() < 0.6 * apart


@pytest.mark.slow
def test_seeds_alone_give_the_error_of_their_mean():
    """All images in one group: nothing varies but the seeds, by s² / S."""
    tables = [table(LABELS, accuracy, seed, group_size=1) for seed, accuracy in enumerate((0.6, 0.75, 0.9))]
    lumped = [Predictions.from_frame(one.frame.assign(group="all")) for one in tables]

    (found,) = resample(field(a=lumped), 20_000, seed=0)

    values = found["accuracy"].values
    assert found["accuracy"].sd == pytest.approx(values.std(ddof=1))
    assert found["accuracy"].draws.mean() == pytest.approx(values.mean(), abs=0.002)
    assert found["accuracy"].draws.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.03)


def test_seeds_widen_the_interval():
    """The same training twice teaches nothing; two that differ do."""
    once, other = table(LABELS, 0.6, seed=1), table(LABELS, 0.9, seed=2)

    alone, twins, several = resample(field(alone=once, twins=[once, once], several=[once, other]), 400, seed=0)

    np.testing.assert_allclose(twins["accuracy"].draws, alone["accuracy"].draws)
    assert several["accuracy"].draws.std() > 1.5 * alone["accuracy"].draws.std()


def drawn(*draws, value=0.5):
    return [Resampled(np.array([value]), np.array(one, float)) for one in draws]


def test_p_counts_the_smaller_side_twice():
    first, second = drawn([1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 0, 0, 0, 0, 0, 0, 0, 9.5])

    assert difference(first, second, 0.95)["p"] == pytest.approx(2 * 2 / 10)
    assert difference(second, first, 0.95)["p"] == pytest.approx(2 * 2 / 10)


def test_what_is_undefined_everywhere():
    first, second = drawn([np.nan, np.nan], [1, 2], value=np.nan)

    assert difference(first, second, 0.95) == {"value": None, "ci_low": None, "ci_high": None, "p": None}
    assert best_shares([first, second], lower_is_better=False) == [None, None]


def test_the_share_of_resamples_in_which_each_is_best():
    contenders = drawn([1, 5, 3, np.nan], [2, 4, 3, 9], [0, 0, 0, 0])

    assert best_shares(contenders, lower_is_better=False) == pytest.approx([1.5 / 3, 1.5 / 3, 0])
    assert best_shares(contenders, lower_is_better=True) == pytest.approx([0, 0, 1])


@pytest.mark.long
def test_intervals_of_differences_hold_what_they_say():
    """400 data sets of grouped images: 95 % intervals cover the true difference in 92 to 98 %."""
    covered, rejected = [], []
    for number in range(400):
        labels = truth(240, seed=number)
        better, equal, worse = (
            table(labels, accuracy, seed, group_size=4)
            for seed, accuracy in ((3 * number, 0.8), (3 * number + 1, 0.8), (3 * number + 2, 0.7))
        )
        a, b, c = resample(field(a=better, b=equal, c=worse), 400, seed=number)
        found = difference(a["accuracy"], c["accuracy"], 0.95)
        covered.append(found["ci_low"] <= 0.1 <= found["ci_high"])
        rejected.append(difference(a["accuracy"], b["accuracy"], 0.95)["p"] < 0.05)

    assert 0.92 <= np.mean(covered) <= 0.98
    assert 0.02 <= np.mean(rejected) <= 0.08
