"""The benchmark still runs: small, on generated images."""

import dup99
import growth
import numpy as np
import pandas as pd
import planted
import pytest
from crowd import crowd, seed_of
from planting import TRANSFORMS

from brain_tumor.data.fingerprint import fingerprint
from brain_tumor.data.phantom import draw_patients, render

PICTURES = 12


@pytest.fixture(scope="module")
def images():
    return [render(patient, 0, 128)[0] for patient in draw_patients(PICTURES, 0)]


@pytest.fixture(scope="module")
def seeds(images):
    return np.stack([seed_of(image) for image in images])


@pytest.fixture(scope="module")
def found(images):
    """Pairs in a pool of phantoms with all altered copies of the first four."""
    names = [str(row) for row in range(PICTURES)]
    chosen = np.arange(4)
    copies = np.stack([[fingerprint(copy) for copy in planted.planted(images[row])] for row in chosen])
    facts = pd.DataFrame({"sha256": names, "pixels": names})
    views = np.stack([fingerprint(image) for image in images])
    return planted.search(facts, views, copies, chosen, range(len(TRANSFORMS)))


def test_planted_copies_are_found(found):
    assert found[1].shape == (4, len(TRANSFORMS))
    assert found[1].mean() >= 0.98


def test_false_pairs_are_counted_between_known_names_only(found):
    everyone = np.array(["one"] * PICTURES + ["other"] * 40, object)
    wrong = planted.false_pairs(found[0], everyone)["near"]
    assert wrong["pairs"] >= 39
    assert wrong["possible"] == PICTURES * 40
    assert planted.false_pairs(found[0], np.where(everyone == "one", "", everyone))["near"]["pairs"] == 0


def test_agreement_of_clusters():
    agreement = dup99.agreement(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 2, 2]))
    assert (agreement["pair_recall"], agreement["pair_precision"]) == (1.0, 0.5)
    assert (agreement["told_clusters_split"], agreement["found_clusters_merging"]) == (0, 1)


def test_growth_is_measured(seeds, tmp_path):
    rows = [growth.search(number, seeds) for number in (100, 200)]
    assert rows[0]["recall_planted"] > 0.8
    assert rows[0]["recall_of_exact_search"] == 1
    growth.plot({"rows": rows}, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").is_file()


def test_copies_of_a_crowd_are_where_it_says(seeds):
    people = crowd(seeds, 200)
    apart = np.abs(people.views[people.originals].astype(int) - people.views[people.copies]).mean()
    assert apart < np.abs(people.views[people.originals].astype(int) - people.views[people.copies[::-1]]).mean()


def test_the_exponent_is_that_of_the_search_in_cells():
    rows = [{"number": n, "seconds": n**1.5, "core_seconds": 2.0 * n} for n in (100_000, 200_000)]
    slow = {"number": 1000, "seconds": 1e9, "core_seconds": 1e9}
    assert growth.exponents([slow, *rows]) == {"exponent": 1.5, "exponent_of_core_seconds": 1.0}
