"""Ensembles: several runs as one model, evaluated, exported and served like any other."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from factories import SHORT, draw, export_fp32

from brain_tumor import Predictor
from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.calibration import softmax
from brain_tumor.export import export
from brain_tumor.models.ensemble import EnsembleNetwork, Member
from brain_tumor.models.localizer import LocalizedNetwork
from brain_tumor.models.small_cnn import SmallCNN
from brain_tumor.serving.bundle import read_bundle
from brain_tumor.serving.engines import open_engine
from brain_tumor.serving.files import read_images
from brain_tumor.train import train


@pytest.fixture(scope="module")
def runs(flat_folder, tmp_path_factory):
    """Two seeds on one split."""
    options = ["data=folder", f"data.root={flat_folder}", *SHORT, "optimizer.lr=5e-3"]
    return [train([*options, f"seed={seed}"], tmp_path_factory.mktemp(f"seed{seed}")).run_dir for seed in (0, 1)]


@pytest.fixture(scope="module")
def joined(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    export([f"ensemble=[{runs[0]},{runs[1]}]", "evaluation.resamples=20", "overwrite=true"], folder)
    return folder


def logits(run, engine="torch"):
    images = np.stack([draw("glioma", seed, 32) for seed in range(3)])
    return open_engine(read_bundle(run), engine)(images[:, None]).logits


def test_its_answers_are_the_mean_of_calibrated_probabilities(runs, joined):
    members = [softmax(logits(run), read_bundle(run).temperature) for run in runs]

    np.testing.assert_allclose(softmax(logits(joined), 1.0), np.mean(members, axis=0), atol=1e-5)
    answer = Predictor.load(joined)(draw("glioma", 0))
    assert sum(answer.probabilities.values()) == pytest.approx(1)


def test_it_is_evaluated_like_a_run(runs, joined):
    def table(run):
        return pd.read_csv(run / "predictions" / "test.csv").set_index("sample_id")

    members = [softmax(np.log(table(run).filter(like="p_").to_numpy()), read_bundle(run).temperature) for run in runs]

    np.testing.assert_allclose(table(joined).filter(like="p_").to_numpy(), np.mean(members, axis=0), atol=1e-9)
    assert (table(joined)["members"] == 2).all()
    results = json.loads((joined / "results.json").read_text())
    assert read_bundle(joined).temperature == results["calibration"]["temperature"]
    assert "Ensemble of 2" in (joined / "report.html").read_text()
    assert "ensemble of 2" in (joined / "bundle" / "README.md").read_text()


@pytest.mark.slow
def test_exports_give_its_probabilities(joined, tmp_path):
    run = export_fp32(shutil.copytree(joined, tmp_path / "run"))

    for engine in ("onnxruntime", "openvino"):
        np.testing.assert_allclose(softmax(logits(run, engine), 1.0), softmax(logits(run), 1.0), atol=1e-4)


@pytest.mark.slow
def test_folds_are_joined_by_what_each_member_had_not_seen(flat_folder, tmp_path):
    options = [
        "data=folder",
        f"data.root={flat_folder}",
        *SHORT,
        "trainer.max_epochs=1",
        "split=kfold",
        "split.folds=3",
    ]
    folds = [train([*options, f"split.fold={fold}"], tmp_path / str(fold)).run_dir for fold in range(3)]
    export([f"ensemble=[{','.join(map(str, folds))}]", "evaluation.resamples=20"], tmp_path / "joined")

    table = pd.read_csv(tmp_path / "joined" / "predictions" / "test.csv")
    assert len(table) == 48
    assert (table["members"] == 1).all()
    assert (pd.read_csv(tmp_path / "joined" / "samples.csv")["split"] == "train").all()
    page = (tmp_path / "joined" / "report.html").read_text()
    assert "48 of 48 test images are predicted by fewer than the 3 members" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Invalid neither bundle nor ensemble: expected one of bundle=RUN and ensemble="),
        (["bundle=a", "ensemble=[a,b]"], "Invalid bundle=a with ensemble="),
    ],
)
def test_one_of_bundle_and_ensemble_is_needed(options, message, tmp_path):
    with pytest.raises(ConfigError) as raised:
        export(options, tmp_path)
    assert message in str(raised.value)


@pytest.mark.slow
def test_runs_that_do_not_fit_are_refused(runs, flat_folder, tmp_path):
    other = train(["data=folder", f"data.root={flat_folder}", *SHORT, "data.image_size=48"], tmp_path / "other").run_dir
    with pytest.raises(ConfigError, match=r"has data\.image_size=32 and .* data\.image_size=48"):
        export([f"ensemble=[{runs[0]},{other}]"], tmp_path / "joined")
    with pytest.raises(ConfigError, match="ensemble names 1 runs; expected two or more"):
        export([f"ensemble=[{runs[0]}]"], tmp_path / "joined")


def test_maps_are_averaged():
    def member(seed):
        torch.manual_seed(seed)
        network = SmallCNN(3, widths=(8, 16))
        return Member(LocalizedNetwork(network, 3, torch.zeros(1, 1, 32, 32), width=8).eval(), (0.2,), (0.3,), 1.5)

    members = [member(0), member(1)]
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        found = EnsembleNetwork(members).eval().outputs(images)
        alone = [each.network.outputs((images - 0.2) / 0.3) for each in members]

    torch.testing.assert_close(found.map.sigmoid(), torch.stack([each.map.sigmoid() for each in alone]).mean(0))
    expected = torch.stack([(each.logits / 1.5).softmax(1) for each in alone]).mean(0)
    torch.testing.assert_close(found.logits.softmax(1), expected)
    assert found.features.shape[1] == sum(each.features.shape[1] + 3 for each in alone)


@pytest.mark.slow
def test_mirrored_images_are_averaged_where_validation_gains(runs, tmp_path, monkeypatch):
    losses = iter([0.5, 0.4, 0.5, 0.6])
    monkeypatch.setattr("brain_tumor.pipelines.ensemble._loss", lambda _: next(losses))
    for gains in (True, False):
        folder = tmp_path / str(gains)
        export([f"ensemble=[{runs[0]}]", "tta=mirror", "evaluation.resamples=20"], folder)

        assert read_bundle(folder).arguments["mirrored"] is gains
        image = np.stack([draw("glioma", 5, 32)])[:, None]
        plain, mirrored = (
            softmax(
                open_engine(read_bundle(runs[0]), "torch")(np.ascontiguousarray(each)).logits,
                read_bundle(runs[0]).temperature,
            )
            for each in (image, image[..., ::-1])
        )
        found = softmax(open_engine(read_bundle(folder), "torch")(image).logits, 1.0)
        np.testing.assert_allclose(found, (plain + mirrored) / 2 if gains else plain, atol=1e-5)
        table = pd.read_csv(folder / "predictions" / "val.csv")
        answers = softmax(Predictor.load(folder).logits(read_images(table["path"].tolist(), 32, "")), 1.0)
        np.testing.assert_allclose(table.filter(like="p_").to_numpy(), answers, atol=1e-5)


def test_one_run_alone_is_no_ensemble(runs, tmp_path):
    with pytest.raises(ConfigError, match="ensemble names 1 runs; expected two or more"):
        export([f"ensemble=[{runs[0]}]", "tta=none"], tmp_path)


def test_maps_of_other_sizes_are_enlarged():
    def member(stride):
        network = LocalizedNetwork(SmallCNN(3, widths=(8, 16)), 3, torch.zeros(1, 1, 32, 32), stride=stride, width=8)
        return Member(network.eval(), (0.0,), (1.0,), 1.0)

    fine, coarse = member(4), member(8)
    images = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        found = EnsembleNetwork([coarse, fine]).eval().outputs(images).map.sigmoid()
        maps = [each.network.outputs(images).map.sigmoid() for each in (fine, coarse)]

    enlarged = torch.nn.functional.interpolate(maps[1][:, None], (8, 8), mode="bilinear")[:, 0]
    torch.testing.assert_close(found, (maps[0] + enlarged) / 2)
