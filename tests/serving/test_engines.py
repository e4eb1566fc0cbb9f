"""Exported engines answer as eager PyTorch does, or are refused."""

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import pandas as pd
import pytest

from brain_tumor import Predictor
from brain_tumor.errors import BundleError, ConfigError, DataError
from brain_tumor.export import export
from brain_tumor.serving import engines
from brain_tumor.serving import export as exporting
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.onnx_graph import onnx_model

EXPORTED = [("onnxruntime", "fp32"), ("openvino", "fp32")]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(exporting, "SECONDS", 0.0)


def squares(count, size=32):
    return np.random.default_rng(0).integers(0, 256, (count, size, size), dtype=np.uint8)


def samples(run):
    return pd.read_csv(run / "samples.csv", dtype=str, keep_default_na=False)


def export_of(run, **options):
    settings = {"engine": "onnxruntime", "precision": "fp32", "threads": 1, "calibration": 16}
    return exporting.export(read_bundle(run), samples(run), **settings | options)


def shuffled(bundle):
    """A model that takes the classes for each other."""
    return onnx_model(replace(bundle, mean=(0.9,), std=(0.01,)))


@pytest.mark.parametrize(("engine", "precision"), EXPORTED)
def test_probabilities_are_those_of_eager_pytorch(exported, engine, precision):
    eager, ours = (Predictor.load(exported, name, precision) for name in ("torch", engine))
    for count in (1, 7):
        difference = ours.probabilities(squares(count)) - eager.probabilities(squares(count))
        assert np.abs(difference).max() <= 1e-4
    assert len(set(map(tuple, ours.probabilities(squares(7)).round(4)))) == 7  # and they do depend on the image


def test_checks_are_kept_with_the_export(exported):
    checks = json.loads((exported / "bundle" / "config.json").read_text())["exports"]["openvino"]["fp32"]["checks"]

    assert checks["images"] == (samples(exported)["split"] == "val").sum()
    assert 0 <= checks["max_difference"] <= 1e-4
    results = json.loads((exported / "results.json").read_text())
    assert checks["f1_macro_before"] == pytest.approx(results["val"]["f1_macro"]["value"])


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_int8_is_smaller_and_nearly_the_same(exported_copy, engine, monkeypatch):
    monkeypatch.setattr(exporting, "F1_DROP", 1.0)  # twelve validation images measure no F1
    export_of(exported_copy, engine=engine, precision="int8", calibration=24)

    types = [
        {tensor.data_type for tensor in onnx.load(exported_copy / "bundle" / name).graph.initializer}
        for name in ("model.onnx", "model-int8.onnx")
    ]
    assert [onnx.TensorProto.INT8 in found for found in types] == [False, True]
    int8, eager = Predictor.load(exported_copy, engine, "int8"), Predictor.load(exported_copy, "torch")
    assert np.abs(int8.probabilities(squares(3)) - eager.probabilities(squares(3))).max() < 0.2


@pytest.mark.parametrize(
    ("engine", "precision"), [*EXPORTED, ("torch", "fp32"), ("onnxruntime", "int8"), ("openvino", "int8")]
)
def test_a_picture_is_answered_alike_alone_and_among_others(exported_copy, engine, precision, monkeypatch):
    monkeypatch.setattr(exporting, "F1_DROP", 1.0)
    if precision == "int8":
        export_of(exported_copy, engine=engine, precision=precision)
    predictor = Predictor.load(exported_copy, engine, precision)
    images = squares(11)

    alone = np.concatenate([predictor.probabilities([image]) for image in images])

    for count in (2, 3, 8, 11):
        assert np.abs(predictor.probabilities(images[:count]) - alone[:count]).max() < 1e-5


def test_a_processor_without_bfloat16_is_told_so(exported, monkeypatch):
    from brain_tumor.serving.engines import open_vino

    old = SimpleNamespace(get_property=lambda *_: ["FP32", "INT8"])
    monkeypatch.setattr(open_vino.ov, "Core", lambda: old)
    with pytest.raises(BundleError, match="does not compute in bfloat16; take precision=fp32"):
        export_of(exported, engine="openvino", precision="bf16")


def test_bf16_of_openvino_takes_the_same_file(exported_copy):
    import openvino as ov

    if "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16")
    export_of(exported_copy, engine="openvino", precision="bf16")

    assert read_bundle(exported_copy).exports["openvino"]["bf16"].file == "model.onnx"
    difference = np.subtract(
        *(Predictor.load(exported_copy, "openvino", kind).probabilities(squares(8)) for kind in ("bf16", "fp32"))
    )
    assert 0 < np.abs(difference).max() < 0.1


class TestRefusal:
    def test_of_other_probabilities(self, run_copy, monkeypatch):
        monkeypatch.setattr(exporting, "onnx_model", shuffled)

        with pytest.raises(BundleError, match=r"onnxruntime at fp32 is refused: its probabilities differ .* by up to"):
            export_of(run_copy)
        assert not list((run_copy / "bundle").glob("*.onnx"))

    def test_of_a_lower_f1_with_both_figures(self, exported_copy, monkeypatch):
        wrong = shuffled(read_bundle(exported_copy))
        monkeypatch.setattr(exporting, "quantized", lambda *_: wrong)

        with pytest.raises(BundleError) as told:
            export_of(exported_copy, precision="int8")
        f1 = json.loads((exported_copy / "results.json").read_text())["val"]["f1_macro"]["value"]
        assert f"macro-F1 on 8 validation images falls from {f1:.4f} to 0." in str(told.value)
        assert set(read_bundle(exported_copy).exports["onnxruntime"]) == {"fp32"}

    def test_without_validation_images(self, run_copy):
        table = samples(run_copy)
        with pytest.raises(DataError, match="have no val images"):
            exporting.export(
                read_bundle(run_copy), table[table["split"] != "val"],
                engine="openvino", precision="fp32", threads=None, calibration=1,
            )  # fmt: skip

    def test_of_classes_that_the_model_does_not_know(self, run_copy):
        table = samples(run_copy).assign(label="hat")
        with pytest.raises(DataError, match="classes that the model does not know: hat"):
            exporting.export(
                read_bundle(run_copy), table, engine="openvino", precision="fp32", threads=None, calibration=1
            )

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"engine": "torch"}, "Invalid engine=torch"),
            ({"precision": "bf16"}, "Invalid precision=bf16 with engine=onnxruntime: expected fp32 or int8"),
            ({"threads": -1}, "Invalid threads=-1"),
        ],
    )
    def test_of_what_no_engine_can(self, run_copy, options, sentence):
        with pytest.raises(ConfigError, match=sentence):
            export_of(run_copy, **options)


def test_a_new_file_takes_old_checks_with_it(exported_copy, monkeypatch):
    monkeypatch.setattr(exporting, "F1_DROP", 1.0)
    for engine in ("onnxruntime", "openvino"):
        export_of(exported_copy, engine=engine, precision="int8", calibration=16)
    assert set(read_bundle(exported_copy).exports) == {"onnxruntime", "openvino"}

    export_of(exported_copy, precision="int8", calibration=3)

    exports = read_bundle(exported_copy).exports
    assert set(exports["onnxruntime"]) == {"fp32", "int8"}
    assert set(exports["openvino"]) == {"fp32"}


class TestOpening:
    def test_auto_takes_what_was_exported(self, exported, trained, monkeypatch):
        opened = []
        monkeypatch.setattr(engines, "open_model", lambda name, *_: opened.append(name))
        engines.open_engine(read_bundle(exported))
        engines.open_engine(read_bundle(trained))
        assert opened == ["onnxruntime"]

        found = importlib.util.find_spec
        monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: name != "onnxruntime" and found(name))
        engines.open_engine(read_bundle(exported))
        assert opened == ["onnxruntime", "openvino"]

    def test_what_was_not_exported(self, trained):
        with pytest.raises(BundleError, match=r"not exported for openvino at int8; do so first: brain-tumor export"):
            Predictor.load(trained, "openvino", "int8")
        with pytest.raises(BundleError, match="was exported at int8 for no engine that is installed; do so first"):
            Predictor.load(trained, precision="int8")

    def test_what_is_not_installed(self, exported, monkeypatch):
        monkeypatch.setattr(engines.importlib.util, "find_spec", lambda _: None)
        with pytest.raises(
            BundleError, match=r"onnxruntime is needed and not installed; run: pip install 'brain-tumor\[onnx\]'"
        ):
            Predictor.load(exported, "onnxruntime")
        with pytest.raises(BundleError, match="torch is needed and not installed; run: pip install torch"):
            Predictor.load(exported, "torch")

    @pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
    def test_what_is_no_model(self, engine):
        with pytest.raises(BundleError, match="cannot run the exported model"):
            engines.open_model(engine, b"no model", "fp32")

    @pytest.mark.parametrize("engine", ["torch", "onnxruntime", "openvino"])
    def test_threads_may_share_an_engine(self, exported, engine):
        predictor = Predictor.load(exported, engine, threads=1)
        images = squares(40)
        alone = [predictor.probabilities([image]) for image in images]

        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda image: predictor.probabilities([image]), images))

        assert np.array_equal(np.concatenate(alone), np.concatenate(together))

    def test_cores_are_those_this_process_may_use(self, monkeypatch):
        import os

        if not hasattr(os, "sched_setaffinity"):
            pytest.skip("this system has no affinity")
        allowed = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {min(allowed)})
            assert engines.cores() == 1
        finally:
            os.sched_setaffinity(0, allowed)


def test_the_verb_shows_what_it_gains(run_copy, tmp_path, capsys):
    done = export([f"bundle={run_copy / 'bundle'}", f"samples={run_copy / 'samples.csv'}", "threads=1"], tmp_path)

    shown = capsys.readouterr().out
    assert "speed-up" in shown
    assert f"{1000 * done.latency.median:.2f} ms" in shown
    assert f"{1000 * done.reference_latency.p95:.2f} ms" in shown
    assert "not a medical device" in shown


def test_a_bundle_outside_of_its_run_asks_for_samples(run_copy, tmp_path):
    (run_copy / "bundle").rename(tmp_path / "moved")
    with pytest.raises(DataError, match="csv was not found; give the path of a CSV file of samples"):
        export([f"bundle={tmp_path / 'moved'}"], tmp_path / "log")
