import json

import pytest
from rivals import field, table, truth
from scipy.stats import binomtest

from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.comparison.candidates import Candidate
from brain_tumor.evaluation.comparison.ranking import comparison_document
from brain_tumor.evaluation.comparison.resampling import compare
from brain_tumor.evaluation.comparison.significance_tests import holm

LABELS = truth(300)


@pytest.fixture(scope="module")
def candidates():
    return field(
        middling=table(LABELS, 0.75, seed=1, group_size=2),
        good=table(LABELS, 0.9, seed=2, group_size=2),
        poor=[table(LABELS, 0.5, seed=seed, group_size=2) for seed in (3, 4)],
    )


@pytest.fixture(scope="module")
def document(candidates):
    return comparison_document(compare(candidates, resamples=300))


def test_best_first(document):
    assert [one["name"] for one in document["candidates"]] == ["good", "middling", "poor"]
    assert [one["rank"] for one in document["candidates"]] == [1, 2, 3]
    best, second, last = document["candidates"]
    assert best["difference"] is None
    assert best["best_share"] > 0.95
    assert sum(one["best_share"] for one in document["candidates"]) == pytest.approx(1)
    assert last["seeds"] == 2
    assert last["sd"] > 0
    assert second["sd"] is None


def test_difference_to_the_best(document):
    best, second, _ = document["candidates"]
    change = second["difference"]

    assert change["value"] == pytest.approx(second["value"] - best["value"])
    assert change["ci_low"] < change["value"] < change["ci_high"] < 0
    assert change["p"] <= change["p_holm"] < 0.05


def test_every_pair_once_adjusted_together(document):
    pairs = document["pairs"]

    assert [(pair["first"], pair["second"]) for pair in pairs] == [
        ("good", "middling"),
        ("good", "poor"),
        ("middling", "poor"),
    ]
    assert [pair["difference"]["p_holm"] for pair in pairs] == holm([pair["difference"]["p"] for pair in pairs])


def test_recipes_of_several_seeds_have_no_mcnemar_and_delong(document):
    one, *others = document["pairs"]

    assert set(one["delong"]) == {"any tumour"}
    assert one["mcnemar"]["p"] < 0.05
    assert all(pair["mcnemar"] is None and pair["delong"] is None for pair in others)


def test_notes_say_what_the_intervals_mean(document):
    notes = " ".join(document["notes"])

    assert "resamples patients and seeds" in notes
    assert "assume 300 independent images, but these come from 150 groups" in notes
    assert document["n"]["groups"] == 150


def test_too_few_resamples_for_so_many_pairs(candidates, document):
    few = comparison_document(compare(candidates, resamples=99))

    assert "99 resamples are too few for 3 pairs: no adjusted p-value of the bootstrap can be below 0.06" in (
        " ".join(few["notes"])
    )
    assert min(pair["difference"]["p_holm"] for pair in few["pairs"]) == pytest.approx(0.06)
    assert "too few" not in " ".join(document["notes"])


def test_a_score_of_1_has_an_exact_interval():
    """No resample of a perfect score is any lower: 1 in all of the groups, not of the images."""
    perfect = comparison_document(
        compare(field(a=table(LABELS, 1.0, group_size=3), b=table(LABELS, seed=1, group_size=3)), resamples=50)
    )["candidates"][0]

    exact = binomtest(100, 100).proportion_ci(0.95, "exact")
    assert (perfect["value"], perfect["ci_high"]) == (1, 1)
    assert perfect["ci_low"] == pytest.approx(exact.low)
    assert perfect["metrics"]["detection/sensitivity"]["ci_low"] < 1


def test_the_interval_of_a_biased_metric_is_around_its_value(candidates):
    for candidate in comparison_document(compare(candidates, "ece", resamples=100))["candidates"]:
        assert candidate["ci_low"] <= candidate["value"] <= candidate["ci_high"]
        assert candidate["metrics"]["ece"] == {name: candidate[name] for name in ("value", "sd", "ci_low", "ci_high")}


def test_it_is_json(document):
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_lower_may_be_better(candidates):
    found = comparison_document(compare(candidates, "brier", resamples=100))

    values = [one["value"] for one in found["candidates"]]
    assert found["lower_is_better"]
    assert values == sorted(values)
    assert found["candidates"][0]["best_share"] > 0.5
    assert found["candidates"][1]["difference"]["value"] > 0


def test_without_a_healthy_class_each_class_is_a_task():
    names = ("glioma", "meningioma", "pituitary")
    labels = truth(90, names)
    rivals = field(a=table(labels, names=names), b=table(labels, seed=1, names=names))

    (pair,) = comparison_document(compare(rivals, resamples=50))["pairs"]

    assert tuple(pair["delong"]) == names


def test_joined_folds_are_noted():
    joined = Candidate("cv", ("f0", "f1"), (table(LABELS),))

    assert "Folds are joined" in " ".join(comparison_document(compare([joined], resamples=20))["notes"])


def test_one_class_alone_can_be_compared():
    """Where nothing but the healthy was tested, there is no area under a curve, and none is invented."""
    labels = truth(40) * 0 + 2
    rivals = field(a=table(labels), b=table(labels, seed=1))

    found = comparison_document(compare(rivals, "auroc", resamples=50))

    assert found["pairs"][0]["delong"] == {}
    assert [one["value"] for one in found["candidates"]] == [None, None]
    assert json.dumps(found, allow_nan=False)


def test_one_candidate_of_several_seeds():
    found = comparison_document(compare(field(a=[table(LABELS, seed=seed) for seed in range(3)]), resamples=50))

    assert found["pairs"] == []
    assert found["candidates"][0]["best_share"] == 1
    assert "McNemar" not in " ".join(found["notes"])


def test_a_metric_that_does_not_exist(candidates):
    with pytest.raises(ConfigError, match=r"Invalid metric=f2: expected .*f1_macro"):
        compare(candidates, "f2")
