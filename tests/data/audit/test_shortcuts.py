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
    same = {"format": "JPEG", "mode": "L", "width": "512", "height": "512", "border": "0.0"}
    return pd.DataFrame({name: [value] * N for name, value in same.items()} | columns)


def test_nothing_that_varies_nothing_to_test(samples):
    assert shortcuts(samples, facts()) == []


def test_a_format_that_tells_the_class_is_a_shortcut(samples):
    """As in preetviradiya: TIFF means tumour."""
    formats = np.where(samples["label"] == "no_tumor", "JPEG", "TIFF")

    found = {(one["property"], one["task"]): one for one in shortcuts(samples, facts(format=formats))}

    assert found["format", "detection"]["balanced_accuracy"] == 1
    assert found["format", "detection"]["suspicious"]
    assert found["format", "classes"]["balanced_accuracy"] == pytest.approx(0.5)
    assert found["format", "classes"]["chance"] == 0.25


def test_sizes_by_chance_are_none(samples):
    sizes = np.random.default_rng(1).choice(["256", "512", "630"], N)

    found = shortcuts(samples, facts(width=sizes))

    assert [one["property"] for one in found] == ["size", "size"]
    assert not any(one["suspicious"] for one in found)


def test_properties_are_combined(samples):
    """Neither alone tells, both together do."""
    bits = np.random.default_rng(2).integers(2, size=N)
    healthy = (samples["label"] == "no_tumor").to_numpy()
    columns = {"width": np.where(bits, "1", "2"), "border": np.where(bits ^ healthy, "9.0", "0.0")}

    best = shortcuts(samples, facts(**columns))[0]

    assert (best["property"], best["task"]) == ("all together", "detection")
    assert best["balanced_accuracy"] == 1


def test_too_few_groups_cannot_be_tested(samples):
    few = samples.assign(group=samples["label"])

    assert shortcuts(few, facts(border=[f"{n}.0" for n in range(N)])) == []
