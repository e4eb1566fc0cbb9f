"""Properties of every split on any table."""

import pytest
from data.splits.tables import by_id, full_tables, shuffled, split_groups, table, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.data.samples import SPLITS, write_table
from brain_tumor.data.splits import Auto, FromFile, Grouped, Holdout, KFold, LeaveOneSourceOut, Official, OfficialClean
from brain_tumor.errors import DataError

PUBLISHED = {"auto": Auto, "official": Official}
LEAVE_OUT = {"official_clean": OfficialClean, "leave_one_source_out": LeaveOneSourceOut}
OURS = {
    "holdout": Holdout,
    "grouped": Grouped,
    "kfold": KFold,
    "second repeat": lambda **options: KFold(fold=2, repeat=1, **options),
    "no folds": lambda **options: lambda samples: KFold(folds=4, **options)(samples.assign(fold="")),
    "no official split": lambda **options: lambda samples: Auto(**options)(samples.assign(split="", fold="")),
}
many = settings(max_examples=12, deadline=None)


def apply(split, samples):
    """The result, or the error message."""
    try:
        return split(samples)
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("name", OURS | LEAVE_OUT)
@many
@given(samples=full_tables())
def test_no_group_is_in_two_splits(name, samples):
    result = apply((OURS | LEAVE_OUT)[name](), samples)

    if isinstance(result, str):
        assert name in LEAVE_OUT or "expected at least 3" in result
    else:
        assert split_groups(result) == 0


@pytest.mark.parametrize("name", OURS | LEAVE_OUT | PUBLISHED)
@many
@given(samples=full_tables(), seed=st.integers(0, 9))
def test_every_sample_is_assigned_once_in_any_order(name, samples, seed):
    make = (OURS | LEAVE_OUT | PUBLISHED)[name]
    before = samples.copy()
    result = apply(make(seed=seed), samples)

    assert samples.equals(before)
    if isinstance(result, str):
        assert apply(make(seed=seed), samples) == result
        return
    assert result["sample_id"].tolist() == samples["sample_id"].tolist()
    assert result["split"].isin(SPLITS + ("",) * (name in LEAVE_OUT)).all()
    assert result.drop(columns=["split", "fold"]).equals(samples.drop(columns=["split", "fold"]))
    assert make(seed=seed)(samples).equals(result)
    assert by_id(make(seed=seed)(shuffled(samples, seed))).equals(by_id(result))


@many
@given(samples=full_tables())
def test_official_keeps_the_published_splits_and_draws_validation_by_group(samples):
    result = apply(Official(), samples)

    if not isinstance(result, str):
        training = samples["split"] == "train"
        assert result["split"][~training].equals(samples["split"][~training])
        assert set(result["split"][training]) <= {"train", "val"}
        assert split_groups(result[training]) == 0


@many
@given(samples=full_tables())
def test_official_clean_tests_on_published_images_without_leaks(samples):
    result = apply(OfficialClean(), samples)

    if not isinstance(result, str):
        seen = set(samples["group"][samples["split"] == "train"])
        tested = (samples["split"] == "test") & ~samples["group"].isin(seen)
        assert (result["split"] == "test").equals(tested)
        assert result["split"][samples["split"] == "train"].isin(["train", "val"]).all()


@many
@given(samples=full_tables(), source=st.sampled_from(["east", "north", "west"]))
def test_the_test_is_the_whole_source(samples, source):
    result = apply(LeaveOneSourceOut(source), samples)

    if not isinstance(result, str):
        assert (result["split"] == "test").equals(samples["source"] == source)
        shared = samples["group"].isin(set(samples["group"][samples["source"] == source]))
        assert (result["split"] == "").equals(shared & (samples["source"] != source))


@many
@given(samples=tables(mixed=True, fewest=5))
def test_saved_splits_are_read_back(samples, tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "samples.csv"
    result = Holdout()(samples)
    write_table(result, file)

    assert FromFile(str(file))(samples).equals(result)


@many
@given(samples=tables(fewest=5))
def test_every_fold_is_tested_once(samples):
    results = [KFold(fold, repeat=1)(samples) for fold in range(5)]

    assert (sum((result["split"] == "test").astype(int) for result in results) == 1).all()
    for fold, result in enumerate(results):
        assert result["fold"].equals(results[0]["fold"])
        assert (results[(fold + 1) % 5]["split"] == "test").equals(result["split"] == "val")


@pytest.mark.parametrize("name", OURS | PUBLISHED | {"leave_one_source_out": LeaveOneSourceOut, "clean": OfficialClean})
def test_seeds_give_different_splits(name):
    columns = {"split": ["train"] * 90 + ["test"] * 10, "source": ["x"] * 90 + ["y"] * 10}
    make = {**OURS, **PUBLISHED, **LEAVE_OUT, "clean": OfficialClean}[name]

    first, second = (make(seed=seed)(table(["a", "b"] * 50, **columns)) for seed in (0, 1))

    assert not first["split"].equals(second["split"])
