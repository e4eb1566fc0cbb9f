import numpy as np
import pytest

from brain_tumor.errors import ConfigError, DataError
from brain_tumor.evaluation.class_map import class_mapping, merge_classes

MODEL = ("glioma", "meningioma", "no_tumor", "pituitary")


def test_none_keeps_all_names():
    assert class_mapping(None, MODEL, ["glioma", "no_tumor"])["glioma"] == "glioma"


def test_binary():
    mapping = class_mapping("binary", MODEL, ["tumor", "no_tumor"])

    p, classes = merge_classes(np.array([[0.1, 0.2, 0.4, 0.3]]), MODEL, mapping)

    assert classes == ("no_tumor", "tumor")
    np.testing.assert_allclose(p, [[0.4, 0.6]])


def test_names_of_model_and_data():
    mapping = class_mapping(
        {"glioma": "intra", "meningioma": "extra", "pituitary": "extra"}, MODEL, ["glioma", "extra"]
    )

    p, classes = merge_classes(np.array([[0.1, 0.2, 0.4, 0.3]]), MODEL, mapping)

    assert mapping["glioma"] == "intra"
    assert classes == ("extra", "intra", "no_tumor")
    np.testing.assert_allclose(p, [[0.5, 0.1, 0.4]])


def test_labels_that_the_model_cannot_predict():
    with pytest.raises(DataError, match=r"the classes tumor, which the model does not have.*class_map=binary"):
        class_mapping(None, MODEL, ["tumor", "no_tumor"])


@pytest.mark.parametrize(
    ("class_map", "message"),
    [
        ("ternary", "Invalid class_map=ternary: expected binary"),
        ({"gliom": "tumor"}, r"Invalid class_map: gliom is no class; expected classes of the model \(glioma"),
        (dict.fromkeys(MODEL, "all"), "a single class"),
    ],
)
def test_invalid_maps(class_map, message):
    with pytest.raises(ConfigError, match=message):
        class_mapping(class_map, MODEL, ["glioma"] if class_map != dict.fromkeys(MODEL, "all") else ["all"])
