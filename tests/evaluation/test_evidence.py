import json

import pandas as pd
import pytest
from factories import FAST, random_predictions

from brain_tumor.evaluation.calibration import fit_temperature
from brain_tumor.evaluation.evidence import Chosen, choose, chosen_in, evidence


@pytest.fixture(scope="module")
def splits():
    return {"val": random_predictions(120, 0), "test": random_predictions(160, 1)}


@pytest.fixture(scope="module")
def document(splits):
    return evidence(splits, FAST, attributes=pd.DataFrame({"plane": ["axial"] * 80 + ["coronal"] * 80}))


def test_everything_is_there_and_is_json(document):
    assert set(document) == {
        "val", "test", "n", "patients", "calibration", "operating_points", "decision_curve", "abstention", "conformal",
        "subgroups",
    }  # fmt: skip
    json.dumps(document, allow_nan=False)


def test_what_is_chosen_is_chosen_on_validation(splits, document):
    found = chosen_in(json.loads(json.dumps(document)))

    assert found == choose(splits["val"], FAST)
    assert found.temperature == fit_temperature(splits["val"])
    assert set(found.operating_points) == {"sensitive", "specific", "balanced"}
    for point in document["operating_points"]["points"]:
        if point["name"] == "sensitive":
            assert point["val"]["sensitivity"]["value"] >= 0.95
    assert document["abstention"]["val"]["coverage"]["value"] == pytest.approx(0.9, abs=0.01)


def test_metrics_are_those_of_the_network_itself(splits, document):
    alone = evidence({"test": splits["test"]}, FAST)

    assert alone["test"] == document["test"]
    assert set(alone) == {"test", "n", "patients"}


def test_a_frozen_model_brings_its_choices(splits, document):
    again = evidence({"test": splits["test"]}, FAST, chosen=chosen_in(document))

    assert again["calibration"]["test"] == document["calibration"]["test"]
    assert again["decision_curve"] == document["decision_curve"]
    assert again["abstention"]["test"] == document["abstention"]["test"]
    assert "conformal" not in again
    assert "val" not in again["operating_points"]["points"][0]


def test_data_without_a_healthy_class_have_no_detection():
    names = ("glioma", "meningioma", "pituitary")
    found = evidence(
        {"val": random_predictions(60, 0, names=names), "test": random_predictions(60, 1, names=names)}, FAST
    )

    assert "operating_points" not in found
    assert "decision_curve" not in found
    assert "conformal" in found


def test_a_document_that_chose_nothing():
    assert chosen_in({"test": {}}) == Chosen(1.0, {}, None)


@pytest.mark.parametrize("seed", range(3))
def test_same_seed_same_evidence(splits, seed):
    one, other = (evidence({"test": splits["test"]}, FAST, seed) for _ in range(2))

    assert one == other
