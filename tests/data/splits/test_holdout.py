"""Shares of classes: the bounds that `assign_by_group` states."""

import numpy as np
import pandas as pd
import pytest
from data.splits.tables import table, tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_tumor.data.splits import Grouped, Holdout, KFold, LeaveOneSourceOut, Official
from brain_tumor.data.splits.holdout import assign_by_group
from brain_tumor.errors import ConfigError, DataError

SHARES = (
    {"train": 0.7, "val": 0.15, "test": 0.15},
    {"train": 0.6, "val": 0.2, "test": 0.2},
    {"train": 0.9, "val": 0.1},
    {"train": 0.9, "val": 0.05, "test": 0.05},
    dict.fromkeys("01234", 0.2),
)
many = settings(max_examples=60, deadline=None)


def sizes(samples, splits, shares):
    """Images by split and class, their expected number, the largest group, and whether the first bound applies."""
    images = pd.crosstab(splits, samples["label"]).reindex(list(shares)).fillna(0).to_numpy()
    counts = pd.crosstab(samples["group"], samples["label"]).to_numpy()
    expected = np.outer(list(shares.values()), counts.sum(axis=0))
    largest = counts.max(axis=0)
    return images, expected, largest, expected.min(axis=0) >= largest


@many
@given(samples=tables(fewest=5), shares=st.sampled_from(SHARES), seed=st.integers(0, 9))
def test_groups_of_one_class_keep_shares_within_one_group(samples, shares, seed):
    images, expected, largest, bounded = sizes(samples, assign_by_group(samples, shares, seed, "x"), shares)

    assert (images > 0).all()
    assert (np.abs(images - expected) < largest + 1e-9)[:, bounded].all()
    assert (images[1:] - expected[1:] < largest + 1).all()


@settings(many, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=tables(fewest=3, mixed=True), shares=st.sampled_from(SHARES[:4]), seed=st.integers(0, 9))
@pytest.mark.slow
def test_groups_of_several_classes_keep_shares_or_a_warning_is_logged(samples, shares, seed, caplog):
    caplog.clear()

    images, expected, largest, bounded = sizes(samples, assign_by_group(samples, shares, seed, "x"), shares)

    kept = (np.abs(images - expected) < largest + 1)[:, bounded].all() and (images > 0).all()
    assert kept or "keeps the class shares only roughly" in caplog.text


def test_groups_of_several_classes_rarely_miss_their_shares(caplog):
    """Random tables: up to 80 groups of up to 6 classes of any sizes, some with one large group."""
    for seed in range(120):
        rng = np.random.default_rng(seed)
        classes, groups = rng.integers(2, 7), rng.integers(12, 80)
        counts = rng.integers(0, rng.choice([2, 7, 21], classes) + 1, (groups, classes))
        counts[:3] = np.maximum(counts[:3], 1)  # three groups of each class
        counts[rng.integers(groups)] *= rng.integers(1, 20)
        group, label = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
        assign_by_group(table([f"class {n}" for n in label], group), SHARES[0], seed, "x")

    assert len(caplog.records) == 0


@settings(many, max_examples=25)
@given(samples=tables(fewest=6), seed=st.integers(0, 9))
@pytest.mark.slow
def test_every_split_keeps_the_shares_of_what_it_draws(samples, seed):
    tested = np.random.default_rng(seed).random(len(samples)) < 0.1
    full = samples.assign(split=np.where(tested, "test", "train"), source=np.where(tested, "x", "y"))
    for split, shares in (
        (Holdout(val=0.2, seed=seed), {"train": 0.65, "val": 0.2, "test": 0.15}),
        (Grouped(seed=seed), {"train": 0.7, "val": 0.15, "test": 0.15}),
        (KFold(repeat=1, seed=seed), {"train": 0.6, "val": 0.2, "test": 0.2}),
        (Official(val=0.2, seed=seed), {"train": 0.8, "val": 0.2}),
        (LeaveOneSourceOut("x", val=0.2, seed=seed), {"train": 0.8, "val": 0.2}),
    ):
        try:
            result = split(full)
        except DataError:  # the test has too many groups of a class
            if not isinstance(split, LeaveOneSourceOut | Official):
                raise
            continue
        result = result[result["split"].isin(shares)]
        images, expected, largest, bounded = sizes(result, result["split"], shares)
        bound = 3 * largest if isinstance(split, KFold) else largest  # train is three folds
        assert (np.abs(images - expected) < bound + 1e-9)[:, bounded].all()


def test_a_large_group_goes_to_train():
    samples = table(["a"] * 60 + ["b"] * 40, ["large"] * 40 + list(range(60)))

    assert set(Holdout()(samples)["split"][:40]) == {"train"}


def test_rare_classes_have_the_weight_of_common_ones():
    """The first groups have both classes: if images were counted, class a alone would decide their split."""
    samples = table(["a"] * 900 + ["b"] * 30, [*range(900), *range(30)])

    splits = assign_by_group(samples, SHARES[1], 0, "x")

    assert pd.crosstab(samples["label"], splits).loc["b"].to_dict() == {"test": 6, "train": 18, "val": 6}


def test_too_few_groups_are_refused():
    with pytest.raises(DataError, match=r"'b' has 2 separate groups .*: x needs at least 3"):
        assign_by_group(table(["a"] * 9 + ["b"] * 4, [*range(9), 9, 9, 10, 10]), SHARES[0], 0, "x")


def test_runs_that_differ_in_the_validation_fold_have_one_test():
    samples = pd.DataFrame({"sample_id": [f"{n}" for n in range(60)], "label": ["a", "b"] * 30, "fold": ""})
    samples["group"] = [str(n // 2) for n in range(60)]
    splits = [KFold(fold=2, val_offset=offset)(samples) for offset in (1, 2, 3, 4)]

    assert [sorted(set(split["fold"][split["split"] == "val"])) for split in splits] == [["3"], ["4"], ["0"], ["1"]]
    assert all((split["split"] == "test").equals(splits[0]["split"] == "test") for split in splits)
    for offset in (0, 5, -1, 1.5):
        with pytest.raises(ConfigError, match=r"Invalid split.val_offset=.*: expected a whole number from 1 to 4"):
            KFold(fold=0, val_offset=offset)(samples)
