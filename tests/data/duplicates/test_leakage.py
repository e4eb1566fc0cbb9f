import numpy as np
import pandas as pd
import pytest

from brain_tumor.data.duplicates.leakage import (
    duplicates_training_image,
    is_training_image,
    join_training_images,
    leak_counts,
    leakage,
    random_split_leak,
    require_no_leakage,
    same_files,
    shows_training_patient,
)
from brain_tumor.data.samples import samples_table
from brain_tumor.errors import DataError


def samples(split, group=None, **columns):
    rows = pd.DataFrame({"split": split, "group": group or range(len(split)), **columns})
    return samples_table(rows.assign(sample_id=[f"{n:03d}" for n in range(len(rows))]))


def pairs(*rows):
    table = pd.DataFrame(rows, columns=["left", "right", "kind", "similarity", "mirrored"])
    return table.assign(turned=False)


def row(rows, reference, split, label=""):
    return next(row for row in rows if (row["reference"], row["split"], row["class"]) == (reference, split, label))


TABLE = samples(
    [*["train"] * 3, "val", *["test"] * 4],
    [*"abcadabe"],
    label=[*"xxyxxyxy"],
    patient_id=["p1", "", "", "p1", "p2", "p1", "", ""],
)
PAIRS = pairs(
    (0, 3, "exact", 1.0, False),  # train–val
    (0, 5, "pixels", 1.0, False),  # train–test
    (1, 6, "near", 0.99, True),  # train–test, mirrored only
    (3, 5, "near", 0.99, False),  # val–test
    (2, 7, "related", 0.97, False),  # of two groups
    (4, 5, "near", 0.99, False),  # within the test
)


def test_counts_of_a_hand_computed_case():
    counts = row(leakage(TABLE, PAIRS), "train", "test")

    assert counts == {
        "reference": "train", "split": "test", "class": "", "images": 4, "exact": 0, "pixels": 1, "near_upright": 1,
        "near": 2, "patient": 1, "group": 2,
    }  # fmt: skip
    assert row(leakage(TABLE, PAIRS), "train", "val")["exact"] == 1
    assert row(leakage(TABLE, PAIRS), "val", "test")["group"] == 1
    assert row(leakage(TABLE, PAIRS), "train or val", "test")["near"] == 2


def test_classes_add_up():
    rows = leakage(TABLE, PAIRS)

    for reference, split in (("train", "val"), ("train", "test"), ("val", "test"), ("train or val", "test")):
        classes = [each for each in rows if (each["reference"], each["split"]) == (reference, split) and each["class"]]
        total = row(rows, reference, split)
        for name in ("images", "exact", "pixels", "near", "near_upright", "patient", "group"):
            assert sum(each[name] for each in classes) == total[name]


def test_images_left_out_do_not_leak():
    table = samples(["train", "", "test"], [*"aab"], label=[*"xxy"])

    assert leak_counts(leakage(table, pairs((0, 1, "exact", 1.0, False)))) == {
        "val_in_train": 0, "test_in_train": 0, "test_in_val": 0,
    }  # fmt: skip


def test_leakage_of_a_random_split():
    everything = pairs(*((left, right, "near", 1.0, False) for left in range(60) for right in range(left)))

    assert random_split_leak(everything, 60) == 1
    assert random_split_leak(pairs(), 60) == 0
    assert random_split_leak(pairs((0, 1, "related", 0.97, False)), 2) == 0


def test_a_leaking_split_is_refused_with_counts_and_alternatives():
    with pytest.raises(DataError) as caught:
        require_no_leakage(leakage(TABLE, PAIRS))

    message = str(caught.value)
    assert "2 of 4 test images show a patient or image of train (2 are duplicates)" in message
    assert "1 of 1 val images" in message
    assert "split=grouped" in message
    assert "split.allow_leakage=true" in message
    assert "\n" not in message


def test_a_leak_free_split_is_accepted():
    require_no_leakage(leakage(samples(["train", "val", "test"], label=[*"xxx"]), pairs()))


def table(names, **columns):
    return samples_table([{"sample_id": name, "path": f"/{name}.png", "label": "glioma", **columns} for name in names])


def test_training_images_are_joined_with_test_images():
    joined = join_training_images(
        table(["a", "b"], patient_id="1", split="train"), table(["a"], patient_id="1", split="test")
    )

    assert joined["sample_id"].is_unique
    assert is_training_image(joined).tolist() == [False, True, True]
    assert joined["patient_id"].tolist() == ["1", "", ""], "equal patient ids of two sets are different people"
    assert joined["split"].tolist() == ["test", "", ""]
    assert joined["path"].tolist() == ["/a.png", "/a.png", "/b.png"]


def test_duplicates_of_training_images_count_and_related_slices_do_not():
    joined = join_training_images(table(["k1", "k2"]), table(["a", "b", "c", "d"]))
    pairs = pd.DataFrame(
        [(0, 4, "exact"), (1, 5, "near"), (2, 4, "related"), (2, 3, "near"), (4, 5, "near")],
        columns=["left", "right", "kind"],
    )

    assert duplicates_training_image(joined, pairs).tolist() == [True, True, False, False, False, False]


def test_other_slices_of_training_patients_are_found_by_their_traced_patient():
    joined = join_training_images(table(["k1", "k2"]), table(["a", "b", "c"], patient_id="own"))
    traced = joined.assign(patient_id=["100360", "MR040240", "", "100360", ""])

    assert shows_training_patient(traced).tolist() == [True, False, False, False, False]
    assert not shows_training_patient(joined).any()


def test_files_are_identified_by_their_hash():
    samples = table(["a", "b"]).assign(sha256=["1", "2"])

    np.testing.assert_array_equal(same_files(samples, {"2", "3"}), [False, True])
