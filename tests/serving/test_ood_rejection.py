"""OOD rejection from run to answer, with every engine; models without an OOD detector reject nothing."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pandas as pd
import pytest
from factories import bundle_config, change_bundle, draw
from PIL import Image

from brain_tumor import Predictor
from brain_tumor.errors import BundleError, DataError
from brain_tumor.evaluate import evaluate
from brain_tumor.evaluation.ood.detector import OODDetector
from brain_tumor.predict import predict
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.packing import pack

pytestmark = pytest.mark.slow

ENGINES = ["torch", "onnxruntime", "openvino"]
WHITE = np.full((40, 40), 255, np.uint8)


def table(run, split="test"):
    return pd.read_csv(run / "predictions" / f"{split}.csv")


class TestRun:
    def test_writes_the_detector_and_the_score_of_each_scan(self, gated):
        for split in ("val", "test"):
            predictions = table(gated, split)
            assert predictions.columns[-2:].tolist() == ["rejected", "ood_score"]
            assert predictions["rejected"].tolist() == (predictions["ood_score"] > 0).tolist()
        detector = OODDetector.from_bytes((gated / "ood_detector.safetensors").read_bytes())
        assert detector.images == len(table(gated, "val"))

    def test_states_the_share_of_rejected_scans(self, gated):
        rejection = json.loads((gated / "results.json").read_text())["ood_rejection"]

        assert rejection["target"] == 0.05
        for split in ("val", "test"):
            assert rejection[split]["n"] == len(table(gated, split))
            assert rejection[split]["value"] == pytest.approx(table(gated, split)["rejected"].mean())
        assert 0 < rejection["val"]["value"] <= 0.05

    def test_too_few_scans_for_a_detector_are_noted(self, trained):
        record = json.loads((trained / "run.json").read_text())

        assert not (trained / "ood_detector.safetensors").exists()
        assert "ood_rejection" not in json.loads((trained / "results.json").read_text())
        assert table(trained)[["rejected", "ood_score"]].isna().all(axis=None)
        assert any(note.startswith("There is no OOD detector: ") for note in record["notes"])
        assert "There is no OOD detector" in (trained / "report.html").read_text()


class TestBundle:
    def test_has_the_detector_and_its_settings(self, gated):
        config, bundle = bundle_config(gated), read_bundle(gated)

        measured = json.loads((gated / "results.json").read_text())["ood_rejection"]
        assert config["ood_detector"] == {
            "file": "ood_detector.safetensors", "reject_share": 0.05, "images": len(table(gated, "val")),
            "rejected": measured["test"]["value"],
            "missed": {name: share["value"] for name, share in measured["missed"].items()},
        }  # fmt: skip
        assert {"photos", "anatomy", "generated neck", "cropped", "shifted", "shrunken"} < set(measured["missed"])
        assert bundle.read("ood_detector.safetensors") == (gated / "ood_detector.safetensors").read_bytes()
        card = (gated / "bundle" / "README.md").read_text()
        assert f"An OOD detector fitted on {bundle.ood_detector.images} validation scans" in card
        for name, share in measured["missed"].items():
            new = name in ("photos", "anatomy", "generated neck", "noise", "blank", "text")
            kind = "no" if new else "yes, on other"
            assert f"| {name} | {share['n']} | {share['value']:.3f} [" in card
            assert f"| {kind}" in next(line for line in card.splitlines() if line.startswith(f"| {name} |"))
        assert "the prediction of a volume is the mean of the quarter of its slices" in card
        assert "<h2>OOD detection</h2>" in (gated / "report.html").read_text()

    def test_without_a_detector_is_read(self, gated_copy):
        (gated_copy / "ood_detector.safetensors").unlink()
        pack(gated_copy)
        change_bundle(gated_copy, lambda config: config.pop("ood_detector"))

        answer = Predictor.load(gated_copy)(WHITE)

        assert (answer.rejected, answer.ood_score) == (None, None)
        assert sum(answer.probabilities.values()) == pytest.approx(1)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (
                lambda detector: detector.update(file="../ood_detector.safetensors"),
                r"ood_detector\.file is not the name of a file in",
            ),
            (lambda detector: detector.update(reject_share=1.5), r"ood_detector\.reject_share is not a number below 1"),
            (lambda detector: detector.update(reject_share=0), r"ood_detector\.reject_share is not a number above 0"),
            (lambda detector: detector.pop("images"), r"ood_detector\.images is not a number from 1"),
            (
                lambda detector: detector.update(file="model.safetensors"),
                r"model\.safetensors holds no detector \(it cannot be",
            ),
        ],
    )
    def test_an_invalid_detector_is_reported_in_one_sentence(self, gated_copy, change, sentence):
        change_bundle(gated_copy, lambda config: change(config["ood_detector"]))

        with pytest.raises(BundleError, match=sentence) as error:
            Predictor.load(gated_copy)
        assert str(error.value).count("\n") == 0

    def test_a_replaced_detector_is_detected(self, gated_copy):
        (gated_copy / "bundle" / "ood_detector.safetensors").write_bytes(b"another")

        with pytest.raises(BundleError, match="SHA-256 is not the one"):
            Predictor.load(gated_copy)

    def test_an_export_without_features_is_refused(self, exported_gated_copy, trained):
        path = exported_gated_copy / "bundle" / "model.onnx"
        model = onnx.load(path)
        del model.graph.output[1]
        onnx.save(model, path)
        import hashlib

        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        change_bundle(exported_gated_copy, lambda config: config["files"].update({"model.onnx": digest}))

        with pytest.raises(BundleError, match="needs 56 features and the engine yields no; export the model again"):
            Predictor.load(exported_gated_copy, "onnxruntime")(WHITE)


class TestAnswer:
    @pytest.mark.parametrize("engine", ENGINES)
    def test_has_the_ood_score_of_the_run(self, exported_gated, engine):
        expected = table(exported_gated)

        answers = Predictor.load(exported_gated, engine).batch(expected["path"], batch_size=7)

        assert [answer.ood_score for answer in answers] == pytest.approx(expected["ood_score"].tolist(), abs=1e-3)
        assert [answer.rejected for answer in answers] == [answer.ood_score > 0 for answer in answers]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_rejects_a_white_image_and_accepts_a_scan(self, exported_gated, engine):
        predictor = Predictor.load(exported_gated, engine)

        assert predictor(WHITE).rejected is True
        assert predictor(draw("glioma", 1000)).rejected is False

    @pytest.mark.parametrize("engine", ENGINES)
    def test_does_not_depend_on_the_batch(self, exported_gated, engine):
        predictor, paths = Predictor.load(exported_gated, engine), table(exported_gated)["path"].tolist()[:6]

        together = [answer.ood_score for answer in predictor.batch(paths)]

        assert together == pytest.approx([predictor(path).ood_score for path in paths], abs=1e-4)

    def test_has_no_ood_score_without_a_detector(self, trained):
        answer = Predictor.load(trained)(WHITE)

        assert (answer.rejected, answer.ood_score) == (None, None)


class TestVerb:
    @pytest.fixture
    def folder(self, tmp_path):
        root = tmp_path / "scans"
        root.mkdir()
        Image.fromarray(draw("glioma", 1000)).save(root / "scan.png")
        Image.fromarray(WHITE).save(root / "white.png")
        return root

    def test_lists_rejected_images_with_a_warning(self, gated, folder, tmp_path, capsys):
        predictions = predict([f"bundle={gated}", f"input={folder}"], tmp_path / "out")

        assert predictions["rejected"].tolist() == [False, True]
        assert predictions["prediction"].notna().all()
        read = pd.read_csv(tmp_path / "out" / "predictions.csv")
        assert read["rejected"].tolist() == [False, True]
        assert read["ood_score"].to_numpy() == pytest.approx(predictions["ood_score"].to_numpy(float))
        output = " ".join(capsys.readouterr().out.split())
        assert "rejected as out-of-distribution │ 1" in output
        assert "1 image is out-of-distribution (column rejected): do not use its prediction" in output

    def test_says_what_the_detector_misses(self, gated, folder, tmp_path, capsys):
        predict([f"bundle={gated}", f"input={folder}"], tmp_path / "out")

        info = read_bundle(gated).ood_detector
        output = " ".join(capsys.readouterr().out.split())
        assert (
            f"it rejects {info.rejected:.1%} of test scans; of {len(info.missed)} kinds of OOD image it misses"
            in output
        )
        assert f"generated neck {info.missed['generated neck']:.0%}" in output

    def test_says_nothing_of_a_detector_that_was_not_measured(self, gated_copy, folder, tmp_path, capsys):
        change_bundle(gated_copy, lambda config: [config["ood_detector"].pop(name) for name in ("rejected", "missed")])

        predict([f"bundle={gated_copy}", f"input={folder}"], tmp_path / "out")

        assert "it misses" not in capsys.readouterr().out

    def test_prints_no_warning_without_a_detector(self, trained, folder, tmp_path, capsys):
        predictions = predict([f"bundle={trained}", f"input={folder}"], tmp_path / "out")

        assert predictions["rejected"].isna().all()
        assert "out-of-distribution" not in capsys.readouterr().out


def test_rejection_imports_nothing_of_fitting(exported_gated):
    code = f"""
import sys
from brain_tumor import Predictor
predictor = Predictor.load({str(exported_gated)!r}, engine="onnxruntime")
assert predictor({table(exported_gated)["path"][0]!r}).rejected is not None
print(*sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)

    assert not {"sklearn", "torch", "matplotlib", "lightning"} & set(done.stdout.split())


def test_a_bundle_works_without_its_run(gated, tmp_path):
    moved = shutil.copytree(gated / "bundle", tmp_path / "moved")

    assert Predictor.load(moved)(WHITE).rejected is True


def test_evaluation_covers_ood_sets_and_the_users_images(gated, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)).save(
        tmp_path / "photos" / "a.png"
    )
    options = [f"run={gated}", f"ood_images={tmp_path / 'photos'}", "evaluation.resamples=20", "limit=8"]

    found = evaluate(options, tmp_path / "out")["ood"]

    assert found["scans"]["rejected"]["n"] == 8
    assert {"photos", "noise", "blank", "text", "inverted", "your own", "all sets"} <= set(found["sets"])
    assert found["sets"]["your own"]["missed"]["n"] == 1
    assert (tmp_path / "out" / "figures" / "ood.png").is_file()
    assert "<h2>OOD detection</h2>" in (tmp_path / "out" / "report.html").read_text()


def test_an_empty_folder_of_ood_images(gated, tmp_path):
    (tmp_path / "photos").mkdir()

    with pytest.raises(DataError, match="photos holds no images"):
        evaluate([f"run={gated}", f"ood_images={tmp_path / 'photos'}", "evaluation.resamples=20"], tmp_path / "out")
