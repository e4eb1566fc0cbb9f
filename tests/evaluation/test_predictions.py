import numpy as np
import pandas as pd
import pytest

from brain_tumor.data.samples import samples_table, write_table
from brain_tumor.errors import DataError
from brain_tumor.evaluation.predictions import Predictions, predictions_frame, read_predictions

CLASSES = ("glioma", "no_tumor", "pituitary")


def samples(n=4):
    rows = [
        {
            "sample_id": f"s{i}",
            "path": f"{i}.png",
            "label": CLASSES[i % 3],
            "group": "g" if i < 2 else "",
            "plane": "axial",
        }
        for i in range(n)
    ]
    return samples_table(rows)


def frame(n=4):
    return predictions_frame(samples(n), CLASSES, np.random.default_rng(0).dirichlet(np.ones(3), n))


def test_table_has_the_columns_of_the_contract():
    table = frame()

    assert list(table.columns) == [
        "sample_id", "path", "label", "prediction", "p_glioma", "p_no_tumor", "p_pituitary", "group", "source", "plane",
        "patient_id", "series",
    ]  # fmt: skip
    best = table[["p_glioma", "p_no_tumor", "p_pituitary"]].to_numpy().argmax(axis=1)
    assert table["prediction"].tolist() == [CLASSES[c] for c in best]


def test_file_gives_back_every_bit(tmp_path):
    table = frame()
    write_table(table, tmp_path / "test.csv")

    back = read_predictions(tmp_path / "test.csv")

    np.testing.assert_array_equal(back.probabilities, Predictions.from_frame(table).probabilities)
    assert back.classes == CLASSES
    assert back.healthy == 1
    assert back.labels.tolist() == [0, 1, 2, 0]
    assert back.groups.tolist() == [0, 0, 1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["test.csv"]


def test_table_of_another_framework():
    table = pd.DataFrame({"sample_id": [1, 2], "label": ["a", "b"], "p_a": [1, 0.25], "p_b": [0, 0.75]})

    predictions = Predictions.from_frame(table)

    assert predictions.healthy is None
    assert predictions.groups.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop(columns="label"), "no column label"),
        (lambda t: t.drop(columns=["p_glioma", "p_no_tumor"]), "two classes at least"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.assign(label="cyst"), "4 rows .* none of the classes glioma, no_tumor, pituitary, first 's0'"),
        (lambda t: t.assign(sample_id="x"), "3 rows .* repeat a sample_id"),
        (lambda t: t.assign(p_glioma=0.9), "sum to 1"),
        (lambda t: t.assign(p_glioma="high"), "not numbers"),
        (lambda t: t.assign(p_glioma=np.inf), "not numbers"),
        (lambda t: t.assign(p_glioma=-0.5, p_no_tumor=1.0, p_pituitary=0.5), "numbers from 0"),
    ],
)
def test_faults_are_one_sentence(change, sentence):
    with pytest.raises(DataError, match=sentence):
        Predictions.from_frame(change(frame()))
