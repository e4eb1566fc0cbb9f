"""Predictions per volume."""

import pandas as pd

from brain_tumor.evaluation.volumes import by_volume

CLASSES = ("glioma", "no_tumor")


def slices(areas=None):
    table = pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(6)],
            "series": ["a"] * 3 + ["b"] * 2 + [""],
            "patient_id": "p",
            "p_glioma": [0.2, 0.9, 0.4, 0.1, 0.2, 0.9],
            "p_no_tumor": [0.8, 0.1, 0.6, 0.9, 0.8, 0.1],
            "rejected": [False, False, False, False, True, False],
        }
    )
    return table if areas is None else table.assign(map_area=areas)


def test_slices_are_joined_and_the_key_slice_is_named():
    volumes = by_volume(slices(), CLASSES, "key_slice").set_index("series")

    assert volumes["prediction"].to_dict() == {"a": "glioma", "b": "no_tumor"}
    assert volumes["key_slice"].to_dict() == {"a": "s1", "b": "s3"}
    assert volumes["rejected"].to_dict() == {"a": 0, "b": 1}
    assert "map_slice" not in volumes


def test_with_a_map_the_slice_with_the_largest_marked_area_is_named():
    volumes = by_volume(slices([0.0, 0.02, 0.05, 0.0, 0.3, 0.9]), CLASSES).set_index("series")

    assert volumes["map_slice"].to_dict() == {"a": "s2", "b": ""}  # s4 is rejected
