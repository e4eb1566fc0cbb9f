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
