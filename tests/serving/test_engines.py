"""Exports give the outputs of eager PyTorch, or are refused."""

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import pandas as pd
import pytest
from factories import bundle_config

from brain_tumor import Predictor
from brain_tumor.errors import BundleError, ConfigError, DataError
from brain_tumor.export import export
from brain_tumor.serving import engines
from brain_tumor.serving import export as exporting
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.onnx_graph import onnx_model

pytestmark = pytest.mark.slow

ANY_CHANGE = {"max_change": 1.0, "mean_change": 1.0}
"""The network is hardly trained and far from certain."""
EXPORTED = [("onnxruntime", "fp32"), ("openvino", "fp32")]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(exporting, "SECONDS", 0.0)


def random_images(count, size=32):
    return np.random.default_rng(0).integers(0, 256, (count, size, size), dtype=np.uint8)


def samples(run):
    return pd.read_csv(run / "samples.csv", dtype=str, keep_default_na=False)


def export_of(run, **options):
    settings = {"engine": "onnxruntime", "precision": "fp32", "threads": 1, "calibration": 16, **ANY_CHANGE}
    return exporting.export(read_bundle(run), samples(run), **settings | options)


def wrongly_normalised(bundle):
    """A model with wrong normalisation, whose probabilities differ."""
    return onnx_model(replace(bundle, mean=(0.9,), std=(0.01,)))


@pytest.mark.parametrize(("engine", "precision"), EXPORTED)
def test_probabilities_are_those_of_eager_pytorch(exported, engine, precision):
    eager, ours = (Predictor.load(exported, name, precision) for name in ("torch", engine))
    for count in (1, 7):
        difference = ours.probabilities(random_images(count)) - eager.probabilities(random_images(count))
        assert np.abs(difference).max() <= 1e-4
    assert len(set(map(tuple, ours.probabilities(random_images(7)).round(4)))) == 7  # they depend on the image


def test_checks_are_stored_with_the_export(exported):
    checks = bundle_config(exported)["exports"]["openvino"]["fp32"]["checks"]

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
    assert [onnx.TensorProto.INT8 in model_types for model_types in types] == [False, True]
    int8, eager = Predictor.load(exported_copy, engine, "int8"), Predictor.load(exported_copy, "torch")
    assert np.abs(int8.probabilities(random_images(3)) - eager.probabilities(random_images(3))).max() < 0.2


@pytest.mark.parametrize(
    ("engine", "precision"), [*EXPORTED, ("torch", "fp32"), ("onnxruntime", "int8"), ("openvino", "int8")]
)
def test_probabilities_do_not_depend_on_the_batch(exported_copy, engine, precision, monkeypatch):
    monkeypatch.setattr(exporting, "F1_DROP", 1.0)
    if precision == "int8":
        export_of(exported_copy, engine=engine, precision=precision)
    predictor = Predictor.load(exported_copy, engine, precision)
    images = random_images(11)

    alone = np.concatenate([predictor.probabilities([image]) for image in images])

    for count in (2, 3, 8, 11):
        assert np.abs(predictor.probabilities(images[:count]) - alone[:count]).max() < 1e-5


def test_bf16_is_refused_on_a_cpu_without_bfloat16(exported, monkeypatch):
    from brain_tumor.serving.engines import open_vino

    old = SimpleNamespace(get_property=lambda *_: ["FP32", "INT8"])
    monkeypatch.setattr(open_vino.ov, "Core", lambda: old)
    with pytest.raises(BundleError, match="does not support bfloat16; use precision=fp32"):
        export_of(exported, engine="openvino", precision="bf16")


def test_bf16_of_openvino_uses_the_fp32_file(exported_copy):
    import openvino as ov

    if "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16")
    export_of(exported_copy, engine="openvino", precision="bf16")

    assert read_bundle(exported_copy).exports["openvino"]["bf16"].file == "model.onnx"
    difference = np.subtract(
        *(Predictor.load(exported_copy, "openvino", kind).probabilities(random_images(8)) for kind in ("bf16", "fp32"))
    )
    assert 0 < np.abs(difference).max() < 0.1


class TestRefusal:
    def test_of_different_probabilities(self, run_copy, monkeypatch):
        monkeypatch.setattr(exporting, "onnx_model", wrongly_normalised)

        with pytest.raises(BundleError, match=r"onnxruntime at fp32 is refused: its probabilities differ .* by up to"):
            export_of(run_copy)
        assert not list((run_copy / "bundle").glob("*.onnx"))

    @pytest.mark.parametrize(
        ("bound", "sentence"),
        [
            (
                "max_change",
                r"move by up to 0\.\d+ from eager PyTorch's, and max_change=1e-05 is allowed; take a higher",
            ),
            (
                "mean_change",
                r"move on average by 0\.\d+ from eager PyTorch's, and mean_change=1e-05 is allowed; take a",
            ),
        ],
    )
    def test_of_int8_whose_probabilities_move_too_far(self, exported_copy, bound, sentence, monkeypatch):
        monkeypatch.setattr(exporting, "F1_DROP", 1.0)

        with pytest.raises(
            BundleError, match=f"onnxruntime at int8 is refused: its .* on 8 validation images {sentence}"
        ):
            export_of(exported_copy, precision="int8", **{bound: 1e-5})
        assert set(read_bundle(exported_copy).exports["onnxruntime"]) == {"fp32"}
        export_of(exported_copy, precision="int8")

    def test_of_a_lower_f1_states_both_values(self, exported_copy, monkeypatch):
        wrong = wrongly_normalised(read_bundle(exported_copy))
        monkeypatch.setattr(exporting, "quantized", lambda *_: wrong)

        with pytest.raises(BundleError) as error:
            export_of(exported_copy, precision="int8")
        f1 = json.loads((exported_copy / "results.json").read_text())["val"]["f1_macro"]["value"]
        assert f"macro-F1 on 8 validation images falls from {f1:.4f} to 0." in str(error.value)
        assert set(read_bundle(exported_copy).exports["onnxruntime"]) == {"fp32"}

    def test_without_validation_images(self, run_copy):
        table = samples(run_copy)
        with pytest.raises(DataError, match="have no val images"):
            exporting.export(
                read_bundle(run_copy), table[table["split"] != "val"],
                engine="openvino", precision="fp32", threads=None, calibration=1,
            )  # fmt: skip

    def test_of_unknown_classes(self, run_copy):
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
    def test_of_unsupported_options(self, run_copy, options, sentence):
        with pytest.raises(ConfigError, match=sentence):
            export_of(run_copy, **options)


def test_a_new_file_removes_exports_checked_with_the_old_file(exported_copy, monkeypatch):
    monkeypatch.setattr(exporting, "F1_DROP", 1.0)
    for engine in ("onnxruntime", "openvino"):
        export_of(exported_copy, engine=engine, precision="int8", calibration=16)
    assert set(read_bundle(exported_copy).exports) == {"onnxruntime", "openvino"}

    export_of(exported_copy, precision="int8", calibration=3)

    exports = read_bundle(exported_copy).exports
    assert set(exports["onnxruntime"]) == {"fp32", "int8"}
    assert set(exports["openvino"]) == {"fp32"}


class TestOpening:
    def test_auto_uses_the_first_installed_export(self, exported, trained, monkeypatch):
        opened = []
        monkeypatch.setattr(engines, "open_model", lambda name, *_: opened.append(name))
        engines.open_engine(read_bundle(exported))
        engines.open_engine(read_bundle(trained))
        assert opened == ["onnxruntime"]

        find_spec = importlib.util.find_spec
        monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: name != "onnxruntime" and find_spec(name))
        engines.open_engine(read_bundle(exported))
        assert opened == ["onnxruntime", "openvino"]

    def test_without_an_export(self, trained):
        with pytest.raises(BundleError, match=r"not exported for openvino at int8; export it first: brain-tumor"):
            Predictor.load(trained, "openvino", "int8")
        with pytest.raises(BundleError, match="was not exported at int8 for any installed engine; export it first"):
            Predictor.load(trained, precision="int8")

    def test_without_the_package(self, exported, monkeypatch):
        monkeypatch.setattr(engines.importlib.util, "find_spec", lambda _: None)
        with pytest.raises(
            BundleError, match=r"onnxruntime is required but not installed; run: pip install 'brain-tumor\[onnx\]'"
        ):
            Predictor.load(exported, "onnxruntime")
        with pytest.raises(BundleError, match="torch is required but not installed; run: pip install torch"):
            Predictor.load(exported, "torch")

    @pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
    def test_content_that_is_no_model(self, engine):
        with pytest.raises(BundleError, match="cannot run the exported model"):
            engines.open_model(engine, b"no model", "fp32")

    @pytest.mark.parametrize("engine", ["torch", "onnxruntime", "openvino"])
    def test_several_threads_can_share_an_engine(self, exported, engine):
        predictor = Predictor.load(exported, engine, threads=1)
        images = random_images(40)
        alone = [predictor.probabilities([image]) for image in images]

        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda image: predictor.probabilities([image]), images))

        assert np.array_equal(np.concatenate(alone), np.concatenate(together))

    def test_cores_are_limited_by_cpu_affinity(self, monkeypatch):
        import os

        if not hasattr(os, "sched_setaffinity"):
            pytest.skip("this system has no affinity")
        allowed = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {min(allowed)})
            assert engines.cores() == 1
        finally:
            os.sched_setaffinity(0, allowed)


def test_export_prints_latencies(run_copy, tmp_path, capsys):
    done = export([f"bundle={run_copy / 'bundle'}", f"samples={run_copy / 'samples.csv'}", "threads=1"], tmp_path)

    output = capsys.readouterr().out
    rounds = done.export.checks["speed_up_rounds"]
    assert "speed-up over eager PyTorch" in output
    assert f"A speed-up is the median of {rounds} ratios of latencies measured in turns" in " ".join(output.split())
    assert f"{1000 * done.latency.median:.2f} ms" in output
    assert f"{1000 * done.reference_latency.p95:.2f} ms" in output
    assert "not a medical device" in output


def test_the_card_lists_the_exports_with_change_and_speed_up(exported_copy, monkeypatch):
    monkeypatch.setattr(exporting, "F1_DROP", 1.0)
    export_of(exported_copy, precision="int8")
    checks = export_of(exported_copy, precision="int8").export.checks

    card = (exported_copy / "bundle" / "README.md").read_text()
    assert card.count("## Exports") == card.count("| onnxruntime | int8 |") == card.count("| openvino | fp32 |") == 1
    assert f"{checks['max_difference']:.1e}, {checks['mean_difference']:.1e}" in card
    assert set(checks["speed_up"]) == {"torch", "fp32"}
    assert "A speed-up is the median of ratios" in card


def test_a_bundle_outside_its_run_needs_samples(run_copy, tmp_path):
    (run_copy / "bundle").rename(tmp_path / "moved")
    with pytest.raises(DataError, match="csv was not found; give the path of a CSV file of samples"):
        export([f"bundle={tmp_path / 'moved'}"], tmp_path / "log")
