import numpy as np
import pytest
from rivals import frame, table, truth

from brain_tumor.errors import DataError
from brain_tumor.evaluation.comparison.candidates import align
from brain_tumor.evaluation.predictions import Predictions

LABELS = truth(30)


def test_order_of_rows_and_classes_does_not_matter():
    given = frame(LABELS, seed=1)
    shuffled = given.sample(frac=1, random_state=0)[given.columns[::-1]]

    aligned = align({"a": table(LABELS), "b": Predictions.from_frame(given), "c": Predictions.from_frame(shuffled)})

    np.testing.assert_array_equal(aligned["b"].probabilities, aligned["c"].probabilities)
    np.testing.assert_array_equal(aligned["a"].labels, aligned["c"].labels)
    assert aligned["c"].classes == aligned["a"].classes
    assert aligned["c"].frame["sample_id"].tolist() == sorted(given["sample_id"])


def test_what_any_table_links_stays_together():
    first = frame(LABELS).assign(group=["x", "x", *[""] * 28])
    second = frame(LABELS).assign(group=["", "y", "y", *[""] * 27])

    aligned = align({"a": Predictions.from_frame(first), "b": Predictions.from_frame(second)})

    np.testing.assert_array_equal(aligned["a"].groups, aligned["b"].groups)
    assert len(set(aligned["a"].groups[:3])) == 1
    assert len(set(aligned["a"].groups)) == 28


def test_without_groups_each_image_is_one():
    bare = Predictions.from_frame(frame(LABELS).drop(columns="group"))

    assert len(set(align({"a": bare, "b": bare})["a"].groups)) == 30


def refused(**tables):
    with pytest.raises(DataError) as caught:
        align({name: Predictions.from_frame(one) for name, one in tables.items()})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_images():
    shifted = frame(LABELS, ids=[f"image {number:04d}" for number in range(10, 40)])

    message = refused(a=frame(LABELS), b=shifted)

    assert "a and b were tested on different images: 20 in common, 10 only in a, 10 only in b" in message
    assert "first 'image 0000'" in message
    assert "split.path=RUN/samples.csv" in message


def test_other_classes():
    message = refused(a=frame(LABELS), b=frame(LABELS, names=("glioma", "meningioma", "no_tumor", "stroke")))

    assert "b has glioma, meningioma, no_tumor, stroke; only models of the same classes" in message


def test_other_labels():
    wrong = LABELS.copy()
    wrong[3] = (wrong[3] + 1) % 4

    assert "disagree on the label of 1 images, first 'image 0003'" in refused(a=frame(LABELS), b=frame(wrong))
