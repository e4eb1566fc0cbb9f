import pytest

from brain_tumor.evaluation.result_warnings import result_warnings


def results(**changes):
    """Results of a model that is in order."""
    document = {
        "val": {"f1_macro": {"value": 0.9}},
        "test": {"f1_macro": {"value": 0.8}},
        "baseline": {"name": "1-NN", "val": {"f1_macro": 0.5}, "test": {"f1_macro": 0.5}},
        "calibration": {
            "temperature": 1.3,
            "test": {"before": {"nll": {"value": 0.5}}, "after": {"nll": {"value": 0.4}}},
        },
        "saliency": {
            "pointing": {
                "pointing": {"value": 0.9, "chance": 0.2, "centre": 0.5},
                "grid": [8, 8],
                "ceiling": 1.0,
                "on_border": 0.0,
            }
        },
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        node = document
        for parent in parents:
            node = node[parent]
        node[name] = value
    return document


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"test__f1_macro__value": 0.26}, r"does not beat the 1-NN baseline \(macro-F1 0.260 against 0.500 on test\)"),
        ({"test__f1_macro__value": 0.5}, r"does not beat the 1-NN baseline"),
        ({"calibration__temperature": 10.0}, r"temperature 10 is at the end of its range \(0.1 to 10\)"),
        ({"calibration__temperature": 0.1}, "at the end of its range"),
        ({"calibration__test__after__nll__value": 0.6}, r"worse on test \(NLL 0.500 before, 0.600 after\)"),
        ({"saliency__pointing__pointing__value": 0.1}, r"in 10% of the images, no more often than chance \(20%\)"),
        ({"saliency__pointing__pointing__value": 0.4}, r"no more often than the centre of the image \(50%\)"),
        (
            {"saliency__pointing__grid": [4, 4], "saliency__pointing__ceiling": 0.72},
            "have 4 × 4 cells: even a perfect one would point at the tumour in 72% of the images only",
        ),
        ({"saliency__pointing__on_border": 0.5}, "maximum at the border of the image in 50% of the images"),
    ],
)
def test_what_is_wrong_is_said(changes, sentence):
    import re

    [warning] = result_warnings(results(**changes))

    assert re.search(sentence, warning)


def test_nothing_is_said_of_a_model_in_order_or_of_what_is_not_known():
    assert result_warnings(results()) == []
    assert result_warnings({"test": {"f1_macro": {"value": None}}}) == []
