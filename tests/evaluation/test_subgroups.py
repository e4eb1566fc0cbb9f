import numpy as np
import pandas as pd
import pytest
from factories import predictions

from brain_tumor.evaluation.subgroups import MIN_IMAGES, evaluate_subgroups


@pytest.fixture(scope="module")
def table():
    """Forty images; the first twenty are correct, and every second of the others."""
    labels = np.arange(40) % 2
    correct = (np.arange(40) < 20) | (np.arange(40) % 4 < 2)
    predicted = np.where(correct, labels, 1 - labels)
    groups = [f"g{n // 2}" for n in range(40)]
    return predictions(labels, np.eye(2)[predicted] * 0.8 + 0.1, names=("a", "b"), groups=groups)


def test_subgroups_and_the_worst(table):
    attributes = pd.DataFrame({"plane": ["axial"] * 20 + ["coronal"] * 20})

    axial, coronal = evaluate_subgroups(table, attributes, resamples=50)

    assert (axial["value"], axial["images"], axial["groups"], axial["worst"]) == ("axial", 20, 10, False)
    assert (coronal["value"], coronal["worst"]) == ("coronal", True)
    assert axial["accuracy"]["value"] == 1
    assert axial["accuracy"]["ci_low"] == pytest.approx(0.025 ** (1 / 10))
    assert coronal["accuracy"]["value"] == pytest.approx(0.5)
    assert coronal["accuracy"]["n"] == 20


@pytest.mark.parametrize(
    "column",
    [["one"] * 40, [""] * 40, ["one"] * (41 - MIN_IMAGES) + ["two"] * (MIN_IMAGES - 1), ["one"] * 20 + [""] * 20],
)
def test_nothing_to_compare(table, column):
    assert evaluate_subgroups(table, pd.DataFrame({"source": column}), resamples=5) == []
