"""Each split on small tables."""

import pytest
from data.splits.tables import split_groups, table

from brain_tumor.data.splits import Auto, Grouped, Holdout, KFold, LeaveOneSourceOut, Official, OfficialClean
from brain_tumor.errors import ConfigError, DataError

FOLDED = {"fold": ["0", "0", "1", "1", "2", "2"] * 2}


def test_folds_cover_everything_once_and_validation_is_the_next_fold():
    samples = table(["a", "b"] * 20)
    splits = [KFold(fold=fold)(samples) for fold in range(5)]

    assert (sum((split["split"] == "test").astype(int) for split in splits) == 1).all()
    for fold in range(5):
        assert (splits[fold]["split"] == "val").equals(splits[(fold + 1) % 5]["split"] == "test")


def test_given_folds_are_kept():
    split = KFold(fold=2)(table(["a", "b"] * 6, **FOLDED))

    assert split["split"].tolist() == ["val", "val", "train", "train", "test", "test"] * 2


def test_given_folds_are_numbered_from_0():
    samples = table(["a", "b"] * 6, fold=["1", "1", "2", "2", "5", "5"] * 2)

    assert KFold(fold=2)(samples)["fold"].tolist() == FOLDED["fold"]


def test_groups_in_several_given_folds_go_to_the_fold_with_most_images(caplog):
    samples = table(["a", "b"] * 6, ["x", "b", "x", "d", "x", *range(7)], fold=["1", "0", "1", "1", "2", *"2012201"])

    split = KFold()(samples)

    assert split["fold"][[0, 2, 4]].tolist() == ["1", "1", "1"]
    assert split_groups(split) == 0
    assert "1 images were moved" in caplog.text


def test_repeats_draw_as_many_new_folds():
    samples = table(["a", "b"] * 30, fold=["0", "0", "1", "1", "2", "2"] * 10)
    folds = [KFold(repeat=repeat)(samples)["fold"] for repeat in range(3)]

    assert folds[0].equals(samples["fold"])
    assert not folds[1].equals(folds[0])
    assert not folds[2].equals(folds[1])
    assert set(folds[1]) == {"0", "1", "2"}


def test_grouped_uses_given_folds_or_a_holdout():
    labels = ["a", "b"] * 6

    assert Grouped(fold=1)(table(labels, **FOLDED)).equals(KFold(fold=1)(table(labels, **FOLDED)))
    assert Grouped(seed=3)(table(labels)).equals(Holdout(seed=3)(table(labels)))


def test_auto_uses_the_official_split_then_folds_then_a_holdout():
    labels = ["a", "b"] * 12
    official = table(labels, split=["train"] * 18 + ["test"] * 6)

    assert Auto()(official).equals(Official()(official))
    assert Auto()(table(labels, fold=FOLDED["fold"] * 2))["split"].eq("test").sum() == 8
    assert Auto()(table(labels)).equals(Holdout()(table(labels)))


def test_official_draws_validation_from_training_by_group():
    published = ["train"] * 40 + ["test"] * 10
    samples = table(["a", "b"] * 25, [n // 2 for n in range(50)], split=published)

    split = Official(val=0.25)(samples)

    assert (split["split"] == "test").tolist() == [name == "test" for name in published]
    assert (split["split"] == "val").sum() == 10
    assert split_groups(split) == 0


def test_official_keeps_a_published_val():
    samples = table(["a", "b"] * 3, split=["train", "train", "val", "val", "test", "test"])

    assert Official()(samples)["split"].tolist() == samples["split"].tolist()


def test_official_clean_leaves_out_leaking_images():
    published = ["train"] * 4 + ["val"] * 4 + ["test"] * 4
    samples = table(["a", "b"] * 6, [*"abcd", *"aefg", *"bghi"], split=published)

    split = OfficialClean()(samples)

    assert split["split"].tolist() == ["train"] * 4 + ["", "val", "val", ""] + ["", "test", "test", "test"]


def test_one_source_is_the_test_and_shared_groups_are_left_out():
    labels = ["a", "b"] * 12
    samples = table(labels, ["shared", *range(22), "shared"], source=["x"] * 16 + ["y"] * 8)

    split = LeaveOneSourceOut("y")(samples)

    assert split["split"][16:].eq("test").all()
    assert split["split"][0] == ""
    assert set(split["split"][1:16]) == {"train", "val"}
    assert LeaveOneSourceOut(1)(samples).equals(split)


def test_names_of_sources_have_precedence_over_numbers():
    samples = table(["a", "b"] * 9, source=["1"] * 6 + ["2"] * 6 + ["3"] * 6)

    assert LeaveOneSourceOut(1)(samples)["split"][:6].eq("test").all()
    assert LeaveOneSourceOut(0)(samples)["split"][:6].eq("test").all()


PUBLISHED = ["train"] * 6 + ["test"] * 3
SOURCES = {"source": ["x"] * 9 + ["y"] * 9}


@pytest.mark.parametrize(
    ("split", "samples", "sentence"),
    [
        (Official(), table(["a", "b"]), "split=official needs data with an official train and test split"),
        (Official(), table(["a"] * 3, split=["train", "test", ""]), "1 images are in no split"),
        (OfficialClean(), table(["a", "b"]), "split=official_clean needs data with an official train and test split"),
        (
            OfficialClean(),
            table(["a"] * 5 + ["b", "b", "b", "a"], [*range(6), 5, 5, 9], split=PUBLISHED),
            r"Only 1 of the 3 published test images .* none of b \(there were 2\): use split=grouped",
        ),
        (
            OfficialClean(),
            table(["a"] * 5 + ["b", "b", "b", "a"], [*range(6), 5, 5, 1], split=PUBLISHED),
            r"Only 0 of the 3 published test images .* none of a, b \(there were 3\)",
        ),
        (Holdout(val=0.6, test=0.5), table(["a", "b"] * 9), "sum below 1"),
        (Holdout(val="half"), table(["a", "b"] * 9), "above 0"),
        (Holdout(val=0), table(["a", "b"] * 9), "above 0"),
        (Holdout(), table(["a"] * 9 + ["b"] * 2), "'b' has 2 separate"),
        (KFold(fold=5), table(["a", "b"] * 9), "Invalid split.fold=5: expected 0 to 4"),
        (KFold(fold="a"), table(["a", "b"] * 9), "Invalid split.fold=a: expected 0 to 4"),
        (KFold(folds=2), table(["a", "b"] * 9), "Invalid split.folds=2: expected at least 3"),
        (KFold(), table(["a"] * 9 + ["b"] * 4), "split.folds=5 needs at least 5"),
        (KFold(), table(["a", "b"], fold=["0", ""]), "no whole number from 0"),
        (KFold(), table(["a", "b"], fold=["0", "1.5"]), "fold of 1 images is no whole number from 0, first '00001'"),
        (KFold(), table(["a", "b"], fold=["0", "1"]), "The data came with 2 folds: expected at least 3"),
        (Grouped(fold=3), table(["a", "b"] * 6, **FOLDED), "expected 0 to 2"),
        (LeaveOneSourceOut(), table(["a", "b"]), "at least two sources, found none"),
        (LeaveOneSourceOut(), table(["a", "b"], source=["x", "x"]), "at least two sources, found x"),
        (LeaveOneSourceOut(), table(["a"] * 3, source=["x", "y", ""]), "1 images have no source, first '00002'"),
        (LeaveOneSourceOut("z"), table(["a", "b"] * 9, **SOURCES), r"Invalid split.source=z: expected x, y"),
        (LeaveOneSourceOut(2), table(["a", "b"] * 9, **SOURCES), r"expected x, y \(or 0 to 1\)"),
        (LeaveOneSourceOut(), table(["a", "b"], ["1", "1"], source=["x", "y"]), "leaves no training images"),
    ],
)
def test_errors(split, samples, sentence):
    with pytest.raises(DataError, match=sentence):
        split(samples)


def test_negative_repeats_are_refused():
    with pytest.raises(ConfigError, match=r"Invalid split\.repeat=-1: expected a whole number from 0"):
        KFold(repeat=-1)(table(["a", "b"] * 9))
