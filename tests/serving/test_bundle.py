"""The bundle that a run writes, and bundles that are damaged, of another program, or malicious."""

import json
import shutil
from contextlib import suppress

import pytest
import torch
from factories import bundle_config, change_bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from brain_tumor import Predictor
from brain_tumor.errors import BundleError
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.packing import bundle_of, pack


class TestPacking:
    def test_bundle_has_the_files_and_keys_of_the_contract(self, trained):
        assert {path.name for path in (trained / "bundle").iterdir()} == {
            "config.json", "model.safetensors", "README.md", "seen.txt",
        }  # fmt: skip
        config = bundle_config(trained)
        assert config["architecture"] == {
            "name": "small_cnn", "arguments": {"widths": [8, 16, 16, 16], "depth": 1, "dropout": 0.2},
        }  # fmt: skip
        assert config["classes"] == ["glioma", "meningioma", "no_tumor", "pituitary"]
        assert config["healthy_class"] == "no_tumor"
        assert config["preprocessing"] == {"image_size": 32, "mean": [0.18], "std": [0.2]}
        assert config["data"]["digest"] == json.loads((trained / "run.json").read_text())["data"]["digest"]

    def test_conformal_sets_are_those_of_the_results(self, trained):
        found = json.loads((trained / "results.json").read_text())["conformal"]

        assert bundle_config(trained)["conformal"] == {
            "coverage": found["target"],
            "limits": found["by_class"]["limits"],
        }

    def test_weights_are_those_of_the_best_checkpoint(self, trained):
        checkpoint = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        weights = load_file(trained / "bundle" / "model.safetensors")

        assert weights
        assert all(torch.equal(tensor, checkpoint[f"network.{name}"]) for name, tensor in weights.items())

    def test_paths_of_the_machine_are_left_out(self, trained, flat_folder):
        text = "".join((trained / "bundle" / name).read_text() for name in ("config.json", "README.md"))

        assert str(flat_folder.parent) not in text
        assert str(trained.parent) not in text

    def test_model_card_states_the_results(self, trained):
        results = json.loads((trained / "results.json").read_text())["test"]["f1_macro"]
        card = (trained / "bundle" / "README.md").read_text()

        _, front, text = card.split("---\n", 2)
        assert "pipeline_tag: image-classification" in front
        assert f"value: {results['value']:.4f}" in front
        assert "Research use only; not a medical device." in text
        assert f"{results['value']:.3f} [{results['ci_low']:.3f}, {results['ci_high']:.3f}]" in text
        assert "## Limits" in text
        assert "none found: no group or duplicate" in text

    def test_front_matter_is_yaml_that_the_hub_reads(self, trained):
        hub = pytest.importorskip("huggingface_hub")

        data = hub.ModelCard.load(trained / "bundle" / "README.md").data

        assert data.eval_results[0].dataset_name == data.eval_results[0].dataset_type
        assert {result.metric_type for result in data.eval_results} == {"f1", "accuracy", "roc_auc"}
        assert (data.license, data.library_name, data.base_model) == ("other", "pytorch", None)
        assert data.datasets == [data.eval_results[0].dataset_name]

    def test_version_follows_the_weights(self, trained, run_copy):
        path = run_copy / "checkpoints" / "best.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["state_dict"]["network.head.bias"] += 1
        torch.save(checkpoint, path)

        assert pack(run_copy).version != read_bundle(trained).version

    def test_a_run_without_a_bundle_is_packed(self, trained, run_copy):
        shutil.rmtree(run_copy / "bundle")

        assert bundle_of(run_copy).version == read_bundle(trained).version
        assert (run_copy / "bundle" / "README.md").is_file()

    def test_an_unfinished_run_is_not_packed(self, run_copy):
        (run_copy / "results.json").unlink()

        with pytest.raises(BundleError, match=r"results\.json is missing"):
            pack(run_copy)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(format="other"), "was written by another program"),
        (lambda c: c.update(format_version=3), "has bundle format 3, and this brain-tumor reads formats up to 2"),
        (lambda c: c.update(classes=["glioma"]), "classes is not a list of 2 or more distinct strings"),
        (lambda c: c.update(classes="glioma"), "classes is not a list of 2 or more distinct strings"),
        (lambda c: c.update(temperature=0), "temperature is not a number above 0"),
        (lambda c: c.update(temperature=float("nan")), "temperature is not a number"),
        (lambda c: c.update(healthy_class="hat"), "healthy_class is not one of the classes"),
        (lambda c: c["preprocessing"].update(std=[0.0]), r"preprocessing\.std is not a list of numbers above 0"),
        (lambda c: c["preprocessing"].update(mean=[0.1, 0.2]), r"preprocessing\.mean is not as long as std"),
        (lambda c: c["preprocessing"].pop("image_size"), r"preprocessing\.image_size is not a number"),
        (lambda c: c.update(architecture=[]), "architecture is not a JSON object"),
        (lambda c: c["files"].update({"model.onnx": 3}), r"files\.model\.onnx is not a string"),
        (lambda c: c["conformal"].update(coverage=2), r"conformal\.coverage is not a number below 1"),
        (lambda c: c["conformal"]["limits"].pop("glioma"), r"conformal\.limits is not one number for each class"),
        (
            lambda c: c.update(exports={"onnxruntime": {"fp32": {"file": "../../model.onnx"}}}),
            r"exports\.onnxruntime\.fp32\.file is not the name of a file in the bundle",
        ),
    ],
)
def test_an_invalid_configuration_is_reported_in_one_sentence(run_copy, change, sentence):
    change_bundle(run_copy, change)

    with pytest.raises(BundleError, match=sentence) as error:
        read_bundle(run_copy)
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["architecture"].update(name="os.system"), r"'os\.system' is none of "),
        (
            lambda c: c["architecture"].update(name="mylab.Net"),
            r"is code of the package mylab; if you trust it, add it",
        ),
        (
            lambda c: c["architecture"]["arguments"].update(weights="/etc/passwd"),
            "has the arguments weights, which only training may set",
        ),
        (lambda c: c["architecture"]["arguments"].update(speed=3), "'small_cnn' cannot be built: .*speed"),
        (lambda c: c["architecture"]["arguments"].update(widths=[1]), "'small_cnn' cannot be built"),
        (lambda c: c["architecture"]["arguments"].update(widths=[8, 8, 8, 8]), "does not hold the weights"),
        (
            lambda c: c.update(
                architecture={"name": "timm", "arguments": {"name": "hf-hub:some/one", "image_size": 32}}
            ),
            "'timm' cannot be built",
        ),
        (lambda c: c["files"].clear(), "is damaged or was replaced"),
    ],
)
def test_an_invalid_network_is_reported_in_one_sentence(run_copy, change, sentence):
    change_bundle(run_copy, change)

    with pytest.raises(BundleError, match=sentence) as error:
        Predictor.load(run_copy)
    assert str(error.value).count("\n") == 0


class TestFiles:
    def test_replaced_weights_are_detected(self, run_copy):
        path = run_copy / "bundle" / "model.safetensors"
        weights = load_file(path)
        weights["head.bias"] += 1
        save_file(weights, path)

        with pytest.raises(BundleError, match="SHA-256 is not the one"):
            Predictor.load(run_copy)

    def test_missing_weights(self, run_copy):
        (run_copy / "bundle" / "model.safetensors").unlink()

        with pytest.raises(BundleError, match="lacks model"):
            Predictor.load(run_copy)

    def test_no_json(self, run_copy):
        (run_copy / "bundle" / "config.json").write_text("{")

        with pytest.raises(BundleError, match="cannot be read as JSON"):
            read_bundle(run_copy)

    @pytest.mark.parametrize("place", ["nowhere", "."])
    def test_no_bundle(self, tmp_path, place):
        with pytest.raises(BundleError, match=r"holds no bundle.*give a run directory of brain-tumor train"):
            Predictor.load(tmp_path / place)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(data=st.data())
def test_any_configuration_is_read_or_refused(trained, tmp_path, data):
    document = bundle_config(trained)
    node = document
    keys = [data.draw(st.sampled_from(sorted(document)))]
    while isinstance(node[keys[-1]], dict) and node[keys[-1]] and data.draw(st.booleans()):
        node = node[keys[-1]]
        keys.append(data.draw(st.sampled_from(sorted(node))))
    node[keys[-1]] = data.draw(values)
    (tmp_path / "config.json").write_text(json.dumps({"brain_tumor": document}))

    with suppress(BundleError):  # and no other error
        assert read_bundle(tmp_path).folder == tmp_path
