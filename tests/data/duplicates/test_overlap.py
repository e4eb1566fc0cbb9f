import numpy as np
import pandas as pd

from brain_tumor.data.duplicates.overlap import copies_of_known, is_known, same_files, together
from brain_tumor.data.samples import samples_table


def table(names, **columns):
    return samples_table([{"sample_id": name, "path": f"/{name}.png", "label": "glioma", **columns} for name in names])


def test_both_sets_stand_in_one_table_under_their_own_names():
    joined = together(table(["a", "b"], patient_id="1", split="train"), table(["a"], patient_id="1", split="test"))

    assert joined["sample_id"].is_unique
    assert is_known(joined).tolist() == [False, True, True]
    assert joined["patient_id"].tolist() == ["1", "", ""], "numbers of patients of two sets are not the same people"
    assert joined["split"].tolist() == ["test", "", ""]
    assert joined["path"].tolist() == ["/a.png", "/a.png", "/b.png"]


def test_copies_count_and_relatives_do_not():
    joined = together(table(["k1", "k2"]), table(["a", "b", "c", "d"]))
    pairs = pd.DataFrame(
        [(0, 4, "exact"), (1, 5, "near"), (2, 4, "related"), (2, 3, "near"), (4, 5, "near")],
        columns=["left", "right", "kind"],
    )

    assert copies_of_known(joined, pairs).tolist() == [True, True, False, False, False, False]


def test_files_are_known_by_what_they_hold():
    samples = table(["a", "b"]).assign(sha256=["1", "2"])

    np.testing.assert_array_equal(same_files(samples, {"2", "3"}), [False, True])
