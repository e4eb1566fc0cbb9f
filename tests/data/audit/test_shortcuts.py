import numpy as np
import pandas as pd
import pytest

from brain_tumor.data.audit.shortcuts import shortcuts

N = 200


@pytest.fixture
def samples():
    labels = np.random.default_rng(0).permutation(["glioma", "no_tumor", "pituitary", "meningioma"] * (N // 4))
    return pd.DataFrame({"label": labels, "source": "", "group": [str(n // 2) for n in range(N)]})


def facts(**columns):
    constant = {"format": "JPEG", "mode": "L", "width": "512", "height": "512", "border": "0.0"}
    return pd.DataFrame({name: [value] * N for name, value in constant.items()} | columns)


def test_constant_properties_are_not_tested(samples):
    assert shortcuts(samples, facts()) == []


def test_a_format_that_predicts_the_class_is_a_shortcut(samples):
    """As in preetviradiya, only tumours are TIFF files."""
    formats = np.where(samples["label"] == "no_tumor", "JPEG", "TIFF")

    results = {(row["property"], row["task"]): row for row in shortcuts(samples, facts(format=formats))}

    assert results["format", "detection"]["balanced_accuracy"] == 1
    assert results["format", "detection"]["suspicious"]
    assert results["format", "classes"]["balanced_accuracy"] == pytest.approx(0.5, abs=0.05)
    assert results["format", "classes"]["chance"] == 0.25


def test_random_sizes_are_no_shortcut(samples):
    sizes = np.random.default_rng(1).choice(["256", "512", "630"], N)

    results = shortcuts(samples, facts(width=sizes))

    assert [row["property"] for row in results] == ["size", "size"]
    assert not any(row["suspicious"] for row in results)


def test_properties_are_combined(samples):
    """Neither property predicts the class alone, both together do."""
    bits = np.random.default_rng(2).integers(2, size=N)
    healthy = (samples["label"] == "no_tumor").to_numpy()
    columns = {"width": np.where(bits, "1", "2"), "border": np.where(bits ^ healthy, "9.0", "0.0")}

    best = shortcuts(samples, facts(**columns))[0]

    assert (best["property"], best["task"]) == ("all together", "detection")
    assert best["balanced_accuracy"] == 1


def test_too_few_groups_cannot_be_tested(samples):
    by_class = samples.assign(group=samples["label"])

    assert shortcuts(by_class, facts(border=[f"{n}.0" for n in range(N)])) == []
