"""The predictor gives the predictions of the training run, for every form of an image."""

import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from factories import SHORT, bundle_config, change_bundle, draw
from PIL import Image

from brain_tumor import Predictor
from brain_tumor.errors import ConfigError, DataError
from brain_tumor.evaluation.calibration import softmax
from brain_tumor.train import train

MODELS = {
    "small_cnn": [],
    "ema": ["callbacks=[ema]"],
    "reference_cnn": ["model=reference_cnn", "data.image_size=46"],
    "timm": ["model=timm", "model.name=resnet10t", "model.pretrained=false"],
}


def table(run, split):
    return pd.read_csv(run / "predictions" / f"{split}.csv")


def probabilities(answers):
    return np.array([list(answer.probabilities.values()) for answer in answers])


@pytest.fixture(scope="module")
def predictor(trained):
    return Predictor.load(trained, engine="torch")


@pytest.fixture(scope="module")
def path(trained):
    return table(trained, "test")["path"][0]


@pytest.mark.parametrize("model", MODELS)
def test_answers_equal_the_predictions_of_the_run(model, trained, flat_folder, tmp_path):
    overrides = [option for option in SHORT if "widths" not in option or model in ("small_cnn", "ema")]
    run = trained
    if model != "small_cnn":
        run = train(["data=folder", f"data.root={flat_folder}", *overrides, *MODELS[model]], tmp_path).run_dir
    predictor = Predictor.load(run)

    for split in ("val", "test"):
        expected = table(run, split)
        answers = predictor.batch(expected["path"], batch_size=5)
        assert [answer.prediction for answer in answers] == expected["prediction"].tolist()
        columns = [f"p_{name}" for name in predictor.bundle.classes]
        sure = softmax(np.log(expected[columns].to_numpy()), predictor.bundle.temperature)
        assert np.abs(probabilities(answers) - sure).max() < 1e-5


class TestAnswer:
    def test_has_prediction_probabilities_and_version(self, predictor, path, trained):
        answer = predictor(path)

        assert list(answer.probabilities) == ["glioma", "meningioma", "no_tumor", "pituitary"]
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.prediction == max(answer.probabilities, key=answer.probabilities.get)
        assert answer.detection == pytest.approx(1 - answer.probabilities["no_tumor"])
        assert answer.version == bundle_config(trained)["version"]

    def test_has_no_detection_score_without_a_healthy_class(self, run_copy, path):
        change_bundle(run_copy, lambda config: config.update(healthy_class=None))

        assert Predictor.load(run_copy)(path).detection is None

    def test_temperature_scales_the_probabilities(self, run_copy, predictor, path):
        temperature = predictor.bundle.temperature
        change_bundle(run_copy, lambda config: config.update(temperature=2 * temperature))

        soft = probabilities([Predictor.load(run_copy / "bundle")(path)])
        powers = np.sqrt(probabilities([predictor(path)]))
        assert soft == pytest.approx(powers / powers.sum(), abs=1e-6)


class TestImages:
    @pytest.mark.parametrize(
        "form",
        [
            str,
            Image.open,
            lambda path: np.asarray(Image.open(path)),
            lambda path: np.asarray(Image.open(path).convert("RGB")),
            lambda path: np.asarray(Image.open(path).convert("RGBA")),
            lambda path: Image.open(path).convert("P"),
            lambda path: np.asarray(Image.open(path).convert("RGB"))[:, ::-1][:, ::-1],
        ],
        ids=["path", "PIL", "grey", "RGB", "RGBA", "palette", "view"],
    )
    def test_every_form_gives_the_same_answer(self, predictor, path, form):
        assert probabilities([predictor(form(path))]) == pytest.approx(probabilities([predictor(path)]), abs=1e-6)

    def test_batches_give_the_answers_of_single_images(self, predictor, trained):
        paths = table(trained, "test")["path"].tolist()

        together = probabilities(predictor.batch(iter(paths), batch_size=4))

        assert together == pytest.approx(probabilities([predictor(path) for path in paths]), abs=1e-6)
        assert predictor.batch([]) == []

    def test_slice_of_a_volume(self, predictor, tmp_path):
        volume = np.stack([draw("glioma", 1), draw("pituitary", 2)], axis=2)
        nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "scan.nii.gz")

        one, other = (predictor(f"{tmp_path / 'scan.nii.gz'}#axial:{index}") for index in (0, 1))

        assert one.probabilities != other.probabilities

    @pytest.mark.parametrize(
        ("image", "sentence"),
        [
            (
                np.zeros((4, 4), np.float32),
                r"An array float32 \[4, 4\] is no image; expected a path, bytes, a PIL image",
            ),
            (np.zeros((4, 4, 2), np.uint8), r"An array uint8 \[4, 4, 2\] is no image"),
            (np.zeros((0, 4), np.uint8), r"An array uint8 \[0, 4\] is no image"),
            (3, "int is no image"),
            ("nowhere.png", "nowhere.png does not exist"),
        ],
    )
    def test_that_cannot_be_read(self, predictor, image, sentence):
        with pytest.raises(DataError, match=sentence):
            predictor(image)

    def test_that_are_damaged(self, predictor, path, tmp_path):
        with open(path, "rb") as whole:  # noqa: PTH123
            (tmp_path / "half.png").write_bytes(whole.read()[:400])

        with pytest.raises(DataError, match=r"half\.png cannot be decoded"):
            predictor(tmp_path / "half.png")
        with Image.open(tmp_path / "half.png") as image, pytest.raises(DataError, match="The image cannot be decoded"):
            predictor(image)


class TestLoading:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (
                {"engine": "tensorrt"},
                "Invalid engine=tensorrt: expected auto or onnxruntime or openvino or torch",
            ),
            (
                {"engine": "torch", "precision": "int8"},
                "Invalid precision=int8 with engine=torch: expected fp32",
            ),
            ({"precision": "fp7"}, "Invalid precision=fp7: expected bf16 or fp32 or int8"),
            ({"threads": 0}, "Invalid threads=0: expected a whole number from 1"),
        ],
    )
    def test_unsupported_options(self, trained, options, sentence):
        with pytest.raises(ConfigError, match=sentence):
            Predictor.load(trained, **options)

    def test_a_bundle_works_without_its_run(self, predictor, trained, path, tmp_path):
        bundle = shutil.copytree(trained / "bundle", tmp_path / "moved")

        assert Predictor.load(bundle)(path) == predictor(path)
