"""An export keeps the features and the rejections of the OOD detector, or is refused."""

import numpy as np
import onnx
import pandas as pd
import pytest
from factories import bundle_config

from brain_tumor.errors import BundleError
from brain_tumor.serving import export as exporting
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.engines import open_engine
from brain_tumor.serving.files import read_images

pytestmark = pytest.mark.slow


def table(run, split="test"):
    return pd.read_csv(run / "predictions" / f"{split}.csv")


def test_has_features_only_with_a_detector(exported_gated, exported):
    outputs = [
        [output.name for output in onnx.load(run / "bundle" / "model.onnx").graph.output]
        for run in (exported_gated, exported)
    ]
    assert outputs == [["logits", "features"], ["logits"]]


def test_keeps_the_share_of_rejected_scans(exported_gated, exported):
    for engine in ("onnxruntime", "openvino"):
        checks = bundle_config(exported_gated)["exports"][engine]["fp32"]["checks"]
        shift = checks["rejected_after"] - checks["rejected_before"]
        assert abs(shift) * len(table(exported_gated, "val")) < 1.5  # one scan lies at the limit
        assert 0 < checks["rejected_before"] <= 0.1
        assert "rejected_before" not in bundle_config(exported)["exports"][engine]["fp32"]["checks"]


def test_is_refused_where_the_share_of_rejected_scans_changes(exported_gated_copy, monkeypatch):
    monkeypatch.setattr(exporting, "SECONDS", 0.0)
    monkeypatch.setattr(exporting, "F1_DROP", 1.0)
    bundle = read_bundle(exported_gated_copy)
    model = onnx.load_from_string(bundle.read("model.onnx"))
    scaled = _scaled_features(model)
    monkeypatch.setattr(exporting, "quantized", lambda *_: scaled)
    samples = pd.read_csv(exported_gated_copy / "samples.csv", dtype=str, keep_default_na=False)
    bounds = {"max_change": 1.0, "mean_change": 1.0}

    with pytest.raises(BundleError, match=r"int8 is refused: its OOD detector rejects 100\.0% of \d+ validation"):
        exporting.export(bundle, samples, engine="onnxruntime", precision="int8", threads=1, calibration=4, **bounds)


def test_int8_keeps_its_features(exported_gated_copy, monkeypatch):
    monkeypatch.setattr(exporting, "SECONDS", 0.0)
    monkeypatch.setattr(exporting, "F1_DROP", 1.0)
    monkeypatch.setattr(exporting, "REJECTED_SHIFT", 1.0)
    samples = pd.read_csv(exported_gated_copy / "samples.csv", dtype=str, keep_default_na=False)
    exporting.export(
        read_bundle(exported_gated_copy), samples, engine="onnxruntime", precision="int8", threads=1, calibration=64,
        max_change=1.0, mean_change=1.0,
    )  # fmt: skip
    images = read_images(table(exported_gated_copy)["path"].tolist(), 32, "")

    bundle = read_bundle(exported_gated_copy)
    int8, full = (open_engine(bundle, "onnxruntime", kind)(images[:, None]).features for kind in ("int8", "fp32"))

    varied = full.std(axis=0) > 0.1 * full.std()
    per_channel = [np.corrcoef(*channel)[0, 1] for channel in zip(int8.T[varied], full.T[varied], strict=True)]
    assert np.median(per_channel) > 0.95


def _scaled_features(model):
    """Another network with the same logits: its features are ten times as large."""
    name = model.graph.output[1].name
    for node in model.graph.node:
        node.output[:] = ["before" if output == name else output for output in node.output]
        node.input[:] = ["before" if source == name else source for source in node.input]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(10), "ten"))
    model.graph.node.append(onnx.helper.make_node("Mul", ["before", "ten"], [name]))
    return model.SerializeToString()
