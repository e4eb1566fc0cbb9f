import json

import pandas as pd
import pytest
from factories import FAST, random_predictions

from brain_tumor.evaluation.calibration import fit_temperature
from brain_tumor.evaluation.evidence import DecisionRules, choose_decision_rules, decision_rules_in, evidence


@pytest.fixture(scope="module")
def splits():
    return {"val": random_predictions(120, 0), "test": random_predictions(160, 1)}


@pytest.fixture(scope="module")
def document(splits):
    return evidence(splits, FAST, attributes=pd.DataFrame({"plane": ["axial"] * 80 + ["coronal"] * 80}))


def test_document_is_complete_and_json(document):
    assert set(document) == {
        "val", "test", "n", "patients", "calibration", "operating_points", "decision_curve", "abstention", "conformal",
        "observed_accuracy",
        "subgroups",
    }  # fmt: skip
    json.dumps(document, allow_nan=False)


def test_rules_are_chosen_on_validation(splits, document):
    rules = decision_rules_in(json.loads(json.dumps(document)))

    assert rules == choose_decision_rules(splits["val"], FAST)
    assert rules.temperature == fit_temperature(splits["val"])
    assert set(rules.operating_points) == {"sensitive", "specific", "balanced"}
    for point in document["operating_points"]["points"]:
        if point["name"] == "sensitive":
            assert point["val"]["sensitivity"]["value"] >= 0.95
    assert document["abstention"]["val"]["coverage"]["value"] == pytest.approx(0.9, abs=0.01)


def test_metrics_are_of_uncalibrated_probabilities(splits, document):
    alone = evidence({"test": splits["test"]}, FAST)

    assert alone["test"] == document["test"]
    assert set(alone) == {"test", "n", "patients"}


def test_rules_of_a_trained_model_are_applied(splits, document):
    again = evidence({"test": splits["test"]}, FAST, rules=decision_rules_in(document))

    assert again["calibration"]["test"] == document["calibration"]["test"]
    assert again["decision_curve"] == document["decision_curve"]
    assert again["abstention"]["test"] == document["abstention"]["test"]
    assert "conformal" not in again
    assert "val" not in again["operating_points"]["points"][0]


def test_data_without_a_healthy_class_have_no_detection():
    names = ("glioma", "meningioma", "pituitary")
    document = evidence(
        {"val": random_predictions(60, 0, names=names), "test": random_predictions(60, 1, names=names)}, FAST
    )

    assert "operating_points" not in document
    assert "decision_curve" not in document
    assert "conformal" in document


def test_a_document_without_rules():
    assert decision_rules_in({"test": {}}) == DecisionRules(1.0, {}, None)


@pytest.mark.parametrize("seed", range(3))
def test_same_seed_same_evidence(splits, seed):
    one, other = (evidence({"test": splits["test"]}, FAST, seed) for _ in range(2))

    assert one == other
