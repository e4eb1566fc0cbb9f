import pytest
from data.splits.tables import table

from brain_tumor.data.splits import check_classes, check_split
from brain_tumor.errors import DataError


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (table(["a", "b"], split=["train", "test"]), "no val images"),
        (table(["a", "b", "a", "c"], split=["train", "train", "val", "test"]), "missing in train: c"),
        (table(["a", "b", "a", "b"], split=["train", "", "val", "test"]), "missing in train: b"),
    ],
)
def test_unusable_splits_are_refused(samples, sentence):
    with pytest.raises(DataError, match=sentence):
        check_split(samples)


def test_images_may_be_left_out():
    check_split(table(["a", "a", "a", "b"], split=["train", "val", "test", ""]))


def test_one_class_is_refused():
    with pytest.raises(DataError, match=r"Found only one class \(a\)"):
        check_classes(table(["a"] * 3))
