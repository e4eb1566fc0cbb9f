import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.data.samples import samples_table
from brain_tumor.data.splitting import Auto, Holdout, KFold, Official, check_classes, check_split, overlap
from brain_tumor.errors import DataError


def table(labels, groups=None, **columns):
    rows = pd.DataFrame({"label": labels, "group": groups if groups is not None else range(len(labels)), **columns})
    return samples_table(rows.assign(sample_id=[f"{n:05d}" for n in range(len(rows))]))


@st.composite
def tables(draw):
    """Tables of 2 to 4 classes whose groups hold 1 to 6 images of one class, 4 groups a class at least."""
    labels, groups = [], []
    for label in range(draw(st.integers(2, 4))):
        for size in draw(st.lists(st.integers(1, 6), min_size=4, max_size=25)):
            labels += [f"class {label}"] * size
            groups += [f"{label}-{len(labels)}"] * size
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(labels))
    return table(np.array(labels)[order], np.array(groups)[order])


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(0, 5))
def test_no_group_stands_on_two_sides_and_every_class_on_all(samples, seed):
    for split in (Holdout(seed=seed), KFold(fold=1, folds=4, seed=seed)):
        result = split(samples)

        check_split(result)
        assert overlap(result) == 0
        assert result.groupby("group")["split"].nunique().max() == 1
        assert result["sample_id"].tolist() == samples["sample_id"].tolist()
        assert split(samples)["split"].tolist() == result["split"].tolist()
    holdout = Holdout(seed=seed)(samples)
    assert (holdout.groupby("label")["split"].nunique() == 3).all()


@settings(max_examples=40, deadline=None)
@given(tables())
def test_class_shares_are_kept_within_one_group(samples):
    result = Holdout(val=0.2, test=0.2)(samples)

    largest = samples.groupby("group").size().max()
    for _, members in result.groupby("label"):
        for side, share in {"train": 0.6, "val": 0.2, "test": 0.2}.items():
            assert abs((members["split"] == side).sum() - max(1, share * len(members))) <= largest + 1


def test_seeds_differ():
    samples = table(["a", "b"] * 50)

    assert Holdout(seed=0)(samples)["split"].tolist() != Holdout(seed=1)(samples)["split"].tolist()


def test_giant_group_goes_to_training():
    samples = table(["a"] * 60 + ["b"] * 40, ["giant"] * 40 + list(range(60)))

    assert set(Holdout()(samples)["split"][:40]) == {"train"}


def test_folds_cover_everything_once_and_turn_round():
    samples = table(["a", "b"] * 20)
    splits = [KFold(fold=fold)(samples) for fold in range(5)]

    tested = np.array([split["split"] == "test" for split in splits])
    np.testing.assert_array_equal(tested.sum(axis=0), 1)
    for fold in range(5):
        np.testing.assert_array_equal(splits[fold]["split"] == "val", tested[(fold + 1) % 5])
    assert {split["fold"].str.cat() for split in splits} == {splits[0]["fold"].str.cat()}


def test_given_folds_are_kept():
    samples = table(["a", "b"] * 6, fold=["0", "0", "1", "1", "2", "2"] * 2)

    split = KFold(fold=2)(samples)

    assert split["split"].tolist() == ["val", "val", "train", "train", "test", "test"] * 2


def test_official_takes_validation_from_training_by_group():
    parts = ["train"] * 40 + ["test"] * 10
    samples = table(["a", "b"] * 25, [n // 2 for n in range(50)], split=parts)

    split = Official(val=0.25)(samples)

    assert (split["split"] == "test").tolist() == [part == "test" for part in parts]
    assert 8 <= (split["split"] == "val").sum() <= 12
    assert split.groupby("group")["split"].nunique().max() == 1


def test_official_keeps_a_validation_part():
    samples = table(["a", "b"] * 3, split=["train", "train", "val", "val", "test", "test"])

    assert Official()(samples)["split"].tolist() == samples["split"].tolist()


def test_auto_takes_what_there_is():
    labels = ["a", "b"] * 10
    with_test = table(labels, split=["train"] * 14 + ["test"] * 6)

    assert (Auto()(with_test)["split"] == "test").sum() == 6
    assert set(Auto()(table(labels))["split"]) == {"train", "val", "test"}


def test_overlap_counts_what_official_splits_hide():
    samples = table(
        ["a", "b"] * 3, ["1", "2", "1", "3", "4", "3"], split=["train", "train", "val", "test", "test", "test"]
    )

    assert overlap(samples) == 1


@pytest.mark.parametrize(
    ("split", "samples", "sentence"),
    [
        (Official(), table(["a", "b"]), "a train and a test part"),
        (Official(), table(["a"] * 3, split=["train", "test", ""]), "1 images belong to no part"),
        (Holdout(val=0.6, test=0.5), table(["a", "b"] * 9), "sum below 1"),
        (Holdout(val="half"), table(["a", "b"] * 9), "above 0"),
        (Holdout(val=0), table(["a", "b"] * 9), "above 0"),
        (Holdout(), table(["a"] * 9 + ["b"] * 2), "'b' has 2 separate"),
        (KFold(fold=5), table(["a", "b"] * 9), "folds 0 to 4"),
        (KFold(folds=2), table(["a", "b"] * 9), "too few"),
        (KFold(), table(["a"] * 9 + ["b"] * 4), "split.folds=5 needs 5"),
        (KFold(), table(["a", "b"], fold=["0", ""]), "no whole number"),
    ],
)
def test_faults(split, samples, sentence):
    with pytest.raises(DataError, match=sentence):
        split(samples)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (table(["a", "b"], split=["train", "test"]), "no val images"),
        (table(["a", "b", "a", "c"], split=["train", "train", "val", "test"]), "training has none of: c"),
    ],
)
def test_unusable_splits_are_refused(samples, sentence):
    with pytest.raises(DataError, match=sentence):
        check_split(samples)


def test_one_class_only():
    with pytest.raises(DataError, match=r"Only one class was found \(a\)"):
        check_classes(table(["a"] * 3))
