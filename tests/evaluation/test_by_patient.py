import numpy as np
import pytest
from factories import predictions

from brain_tumor.evaluation.predictions import by_patient

NAMES = ("glioma", "no_tumor", "pituitary")


def test_patients_are_judged_by_the_mean_of_their_images():
    p = np.array([[0.9, 0.1, 0.0], [0.3, 0.7, 0.0], [0.2, 0.2, 0.6]])
    table = predictions(np.array([0, 0, 2]), p, names=NAMES, groups=["a", "a", "b"])

    found = by_patient(table)

    assert found.predictions.labels.tolist() == [0, 2]
    np.testing.assert_allclose(found.predictions.probabilities, [[0.6, 0.4, 0.0], [0.2, 0.2, 0.6]])
    assert found.predictions.groups.tolist() == [0, 1]
    assert found.mixed == 0


def test_a_patient_with_a_tumour_slice_has_the_tumour():
    table = predictions(np.array([1, 1, 2, 1]), np.full((4, 3), 1 / 3), names=NAMES, groups=["a", "a", "a", "b"])

    assert by_patient(table).predictions.labels.tolist() == [2, 1]


def test_several_kinds_of_tumour_are_left_out_and_counted():
    table = predictions(np.array([0, 2, 1]), np.full((3, 3), 1 / 3), names=NAMES, groups=["a", "a", "b"])

    found = by_patient(table)

    assert found.predictions.labels.tolist() == [1]
    assert found.mixed == 1


@pytest.mark.parametrize("groups", [["a", "b"], ["a", "a"]])
def test_nothing_to_aggregate(groups):
    assert by_patient(predictions(np.array([0, 2]), np.full((2, 3), 1 / 3), names=NAMES, groups=groups)) is None
