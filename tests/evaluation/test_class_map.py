import numpy as np
import pytest

from brain_tumor.errors import ConfigError, DataError
from brain_tumor.evaluation.class_map import class_mapping, merged

MODEL = ("glioma", "meningioma", "no_tumor", "pituitary")


def test_as_they_are():
    assert class_mapping(None, MODEL, ["glioma", "no_tumor"])["glioma"] == "glioma"


def test_tumour_or_not():
    mapping = class_mapping("binary", MODEL, ["tumor", "no_tumor"])

    p, classes = merged(np.array([[0.1, 0.2, 0.4, 0.3]]), MODEL, mapping)

    assert classes == ("no_tumor", "tumor")
    np.testing.assert_allclose(p, [[0.4, 0.6]])


def test_names_on_both_sides():
    mapping = class_mapping(
        {"glioma": "intra", "meningioma": "extra", "pituitary": "extra"}, MODEL, ["glioma", "extra"]
    )

    p, classes = merged(np.array([[0.1, 0.2, 0.4, 0.3]]), MODEL, mapping)

    assert mapping["glioma"] == "intra"
    assert classes == ("extra", "intra", "no_tumor")
    np.testing.assert_allclose(p, [[0.5, 0.1, 0.4]])


def test_labels_the_model_cannot_give():
    with pytest.raises(DataError, match=r"the classes tumor, which the model does not know.*class_map=binary"):
        class_mapping(None, MODEL, ["tumor", "no_tumor"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("ternary", "Invalid class_map=ternary: expected binary"),
        ({"gliom": "tumor"}, "class_map names gliom; the model has glioma"),
        (dict.fromkeys(MODEL, "all"), "a single class"),
    ],
)
def test_maps_that_cannot_be(asked, words):
    with pytest.raises(ConfigError, match=words):
        class_mapping(asked, MODEL, ["glioma"] if asked != dict.fromkeys(MODEL, "all") else ["all"])
