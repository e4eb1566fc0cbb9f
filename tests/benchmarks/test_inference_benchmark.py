"""What an exported model gains."""

import inference
import pytest


@pytest.mark.long
def test_engines_answer_alike_and_are_timed(tmp_path):
    measured = inference.measure({"cnn": ["data.patients=60", "trainer.max_epochs=2"]}, seconds=0.5)
    inference.tell(measured)
    inference.plot(measured, tmp_path / "inference.png")

    model = measured["cnn"]
    assert model["checks"]["onnxruntime fp32"]["max_difference"] <= 1e-4
    assert model["checks"]["openvino fp32"]["max_difference"] <= 1e-4
    assert model["variants"]["onnxruntime fp32"]["speed_up"] > 0
    assert set(model["end_to_end"]) >= {"onnxruntime fp32", "torch"}
    assert (tmp_path / "inference.png").stat().st_size > 5000
