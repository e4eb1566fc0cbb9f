"""Random samples tables with groups, official splits, sources and folds."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from brain_tumor.data.samples import samples_table


def table(labels, groups=None, **columns):
    """A samples table; by default each sample is its own group."""
    rows = pd.DataFrame({"label": labels, "group": groups if groups is not None else range(len(labels)), **columns})
    return samples_table(rows.assign(sample_id=[f"{n:05d}" for n in range(len(rows))]))


def by_id(result):
    """The split of each sample, whatever the order of rows."""
    return result.set_index("sample_id")["split"].sort_index()


def shuffled(samples, seed):
    return samples.sample(frac=1, random_state=seed).reset_index(drop=True)


def split_groups(result):
    """Number of groups in several splits; a group in three counts twice."""
    assigned = result[result["split"] != ""]
    return len(assigned[["group", "split"]].drop_duplicates()) - assigned["group"].nunique()


@st.composite
def tables(draw, mixed=False, fewest=4):
    """Tables of 2 to 6 classes, common and rare, with at least ``fewest`` groups per class, some of them large.

    With ``mixed``, some groups have images of several classes.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = draw(st.lists(st.integers(fewest, 40), min_size=2, max_size=6))
    labels, groups = [], []
    for label, count in enumerate(counts):
        sizes = rng.integers(1, rng.integers(2, 8), count)
        sizes[: draw(st.integers(0, 2))] *= rng.integers(2, 12)
        for group, size in enumerate(sizes):
            labels += [label] * size
            groups += [f"{label}-{group}"] * size
            if mixed and rng.random() < 0.3:
                extra = rng.integers(1, 6)
                labels += [rng.integers(0, len(counts))] * extra
                groups += [f"{label}-{group}"] * extra
    order = rng.permutation(len(labels))
    return table([f"class {labels[row]}" for row in order], [groups[row] for row in order])


@st.composite
def full_tables(draw):
    """Mixed tables with sources, folds and an official split that may leak and may have no val."""
    samples = draw(tables(mixed=True, fewest=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def by_group(names, shares, noise):
        numbers = pd.factorize(samples["group"])[0]
        drawn = rng.choice(names, numbers.max() + 1, p=shares)[numbers]
        return np.where(rng.random(len(samples)) < noise, rng.choice(names, len(samples)), drawn)

    splits = (["train", "test"], [0.7, 0.3]) if draw(st.booleans()) else (["train", "val", "test"], [0.6, 0.2, 0.2])
    noise = draw(st.sampled_from([0, 0.1]))
    return samples.assign(
        split=by_group(*splits, noise),
        source=by_group(["east", "north", "west"], [0.5, 0.3, 0.2], noise),
        fold=by_group(["0", "1", "2", "3"], [0.25] * 4, noise),
    )
