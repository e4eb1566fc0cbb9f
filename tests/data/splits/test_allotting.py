"""Shares of classes: the bound that `allot` states."""

import numpy as np
import pandas as pd
import pytest
from data.splits.tables import table, tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_tumor.data.splits import Grouped, Holdout, KFold, LeaveOneSourceOut, Official
from brain_tumor.data.splits.holdout import allot
from brain_tumor.errors import DataError

SHARES = (
    {"train": 0.7, "val": 0.15, "test": 0.15},
    {"train": 0.6, "val": 0.2, "test": 0.2},
    {"train": 0.9, "val": 0.1},
    {"train": 0.9, "val": 0.05, "test": 0.05},
    dict.fromkeys("01234", 0.2),
)
many = settings(max_examples=60, deadline=None)


def sizes(samples, sides, shares):
    """Images of each side and class, what they should be, the largest group, and whether there are enough groups."""
    found = pd.crosstab(sides, samples["label"]).reindex(list(shares)).fillna(0).to_numpy()
    counts = pd.crosstab(samples["group"], samples["label"]).to_numpy()
    wish = np.outer(list(shares.values()), counts.sum(axis=0))
    largest = counts.max(axis=0)
    return found, wish, largest, wish.min(axis=0) >= largest


@many
@given(samples=tables(fewest=5), shares=st.sampled_from(SHARES), seed=st.integers(0, 9))
def test_groups_of_one_class_keep_every_share_to_within_one_group(samples, shares, seed):
    found, wish, largest, enough = sizes(samples, allot(samples, shares, seed, "x"), shares)

    assert (found > 0).all()
    assert (np.abs(found - wish) < largest + 1e-9)[:, enough].all()
    assert (found[1:] - wish[1:] < largest + 1).all()


@settings(many, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=tables(fewest=3, mixed=True), shares=st.sampled_from(SHARES[:4]), seed=st.integers(0, 9))
def test_groups_of_several_classes_do_too_or_the_log_says_that_they_cannot(samples, shares, seed, caplog):
    caplog.clear()

    found, wish, largest, enough = sizes(samples, allot(samples, shares, seed, "x"), shares)

    kept = (np.abs(found - wish) < largest + 1)[:, enough].all() and (found > 0).all()
    assert kept or "keeps its shares only roughly" in caplog.text


def test_hardly_any_table_of_several_classes_a_group_is_refused_its_shares(caplog):
    """Wild tables: up to 80 groups of up to 6 classes of any sizes, now and then a giant."""
    for seed in range(120):
        rng = np.random.default_rng(seed)
        classes, groups = rng.integers(2, 7), rng.integers(12, 80)
        counts = rng.integers(0, rng.choice([2, 7, 21], classes) + 1, (groups, classes))
        counts[:3] = np.maximum(counts[:3], 1)  # three groups of each class
        counts[rng.integers(groups)] *= rng.integers(1, 20)
        group, label = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
        allot(table([f"class {n}" for n in label], group), SHARES[0], seed, "x")

    assert len(caplog.records) == 0


@settings(many, max_examples=25)
@given(samples=tables(fewest=6), seed=st.integers(0, 9))
def test_every_split_keeps_the_shares_of_what_it_parts(samples, seed):
    own = np.random.default_rng(seed).random(len(samples)) < 0.1
    parted = samples.assign(split=np.where(own, "test", "train"), source=np.where(own, "x", "y"))
    for split, shares in (
        (Holdout(val=0.2, seed=seed), {"train": 0.65, "val": 0.2, "test": 0.15}),
        (Grouped(seed=seed), {"train": 0.7, "val": 0.15, "test": 0.15}),
        (KFold(repeat=1, seed=seed), {"train": 0.6, "val": 0.2, "test": 0.2}),
        (Official(val=0.2, seed=seed), {"train": 0.8, "val": 0.2}),
        (LeaveOneSourceOut("x", val=0.2, seed=seed), {"train": 0.8, "val": 0.2}),
    ):
        try:
            result = split(parted)
        except DataError:  # the test took too many of a class
            if not isinstance(split, LeaveOneSourceOut | Official):
                raise
            continue
        result = result[result["split"].isin(shares)]
        found, wish, largest, enough = sizes(result, result["split"], shares)
        bound = 3 * largest if isinstance(split, KFold) else largest  # its training is three folds
        assert (np.abs(found - wish) < bound + 1e-9)[:, enough].all()


def test_giant_group_goes_to_training():
    samples = table(["a"] * 60 + ["b"] * 40, ["giant"] * 40 + list(range(60)))

    assert set(Holdout()(samples)["split"][:40]) == {"train"}


def test_rare_classes_weigh_as_much_as_common_ones():
    """The first groups hold both classes: to count images alone would let class b go where class a is wanted."""
    samples = table(["a"] * 900 + ["b"] * 30, [*range(900), *range(30)])

    sides = allot(samples, SHARES[1], 0, "x")

    assert pd.crosstab(samples["label"], sides).loc["b"].to_dict() == {"test": 6, "train": 18, "val": 6}


def test_too_few_groups_are_refused():
    with pytest.raises(DataError, match="'b' has 2 separate patients or images; x needs 3 at least"):
        allot(table(["a"] * 9 + ["b"] * 4, [*range(9), 9, 9, 10, 10]), SHARES[0], 0, "x")
