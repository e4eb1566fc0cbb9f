"""Answers: decision, abstention, conformal sets, and what JSON holds of them."""

import json

import jsonschema
import numpy as np
import pytest
from factories import change_bundle, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor import Predictor
from brain_tumor.errors import ConfigError
from brain_tumor.serving.answer import ANSWER_SCHEMA, LOW_CONFIDENCE, NO_TUMOUR, OUT_OF_DISTRIBUTION, TUMOUR, verdict
from brain_tumor.serving.bundle import read_bundle


@pytest.fixture(scope="module")
def bundle(trained):
    return read_bundle(trained)


shares = st.lists(st.floats(1e-6, 1), min_size=4, max_size=4).map(lambda values: np.array(values) / sum(values))


@settings(deadline=None)
@given(row=shares, rejected=st.booleans(), point=st.sampled_from(["sensitive", "balanced", "specific"]))
def test_rules_of_the_bundle_are_applied(bundle, row, rejected, point):
    found = verdict(bundle, row, rejected=rejected, point=point)

    detection = 1 - row[bundle.classes.index("no_tumor")]
    assert found["decision"] == (TUMOUR if detection >= bundle.operating_points[point] else NO_TUMOUR)
    assert (OUT_OF_DISTRIBUTION in found["reasons"]) == rejected
    assert (LOW_CONFIDENCE in found["reasons"]) == (row.max() < bundle.abstain_below)
    inside = {name for name, p in zip(bundle.classes, row, strict=True) if 1 - p <= bundle.conformal.limits[name]}
    assert set(found["conformal_set"]) == inside | {found["prediction"]}
    assert found["conformal_set"][0] == found["prediction"]


def test_json_holds_what_its_schema_says(trained, gated):
    for run in (trained, gated):
        document = json.loads(json.dumps(Predictor.load(run)(draw("glioma", 1)).to_dict(), allow_nan=False))

        jsonschema.validate(document, ANSWER_SCHEMA)
        assert (document["height"], document["width"]) == (48, 48)
        assert document["abstain"] == bool(document["reasons"])


def test_a_model_without_rules_decides_nothing(run_copy):
    change_bundle(
        run_copy, lambda config: config.update(operating_points={}, abstain_below=None, conformal=None, temperature=1.0)
    )
    answer = Predictor.load(run_copy)(draw("glioma", 1))

    assert (answer.decision, answer.reasons, answer.conformal_set) == (None, (), None)


def test_another_operating_point_is_named(trained):
    assert Predictor.load(trained, point="sensitive").point == "sensitive"
    with pytest.raises(ConfigError, match="Invalid point=best: expected sensitive or balanced or specific"):
        Predictor.load(trained, point="best")


def test_bytes_are_read_as_their_file(trained, tmp_path):
    from PIL import Image

    Image.fromarray(draw("pituitary", 3)).save(tmp_path / "scan.png")
    predictor = Predictor.load(trained)

    assert predictor((tmp_path / "scan.png").read_bytes()) == predictor(tmp_path / "scan.png")


def test_answers_say_how_often_such_answers_were_right(run_copy):
    ranges = [{"low": 0.5, "images": 30, "right": 20}, {"low": 0.9, "images": 40, "right": 38}]
    change_bundle(run_copy, lambda config: config.update(observed_accuracy=ranges))
    bundle = read_bundle(run_copy)

    observed = [
        verdict(bundle, np.array([p, *[(1 - p) / 3] * 3]), rejected=False)["observed"] for p in (0.4, 0.5, 0.89, 0.9, 1)
    ]
    assert observed == [None, (20, 30), (20, 30), (38, 40), (38, 40)]


def test_trained_models_know_it(trained):
    results = json.loads((trained / "results.json").read_text())
    ranges = read_bundle(trained).observed_accuracy

    assert sum(each.images for each in ranges) == results["n"]["val"]["images"]
    assert sum(each.right for each in ranges) == round(
        results["val"]["accuracy"]["value"] * results["n"]["val"]["images"]
    )
