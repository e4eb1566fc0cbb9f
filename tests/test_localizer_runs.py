"""Trainings with a localizer: masks in, maps out, in every engine; without masks the map is not trained."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from factories import CENTRES, MAP, SHORT, draw, export_fp32, mask_of, write_set
from PIL import Image

from brain_tumor import Predictor
from brain_tumor.evaluate import evaluate
from brain_tumor.export import export
from brain_tumor.predict import predict
from brain_tumor.run_dir.record import read_results
from brain_tumor.serving.engines import open_engine
from brain_tumor.serving.files import read_images
from brain_tumor.train import train


def test_results_say_how_well_it_finds_tumours(located):
    results = json.loads((located / "results.json").read_text())
    table = pd.read_csv(located / "predictions" / "test.csv")

    assert results["test"]["localization/pointing"]["value"] == table["map_hit"].mean()
    assert results["test"]["localization/dice"]["value"] == pytest.approx(table["map_dice"].mean())
    assert results["test"]["localization/pointing"]["value"] > 2 * results["localization"]["test"]["chance"]
    assert results["localization"]["grid"] == [4, 4]
    assert table.loc[table["label"] == "no_tumor", "map_dice"].isna().all()
    assert table["map_area"].between(0, 1).all()


def test_the_bundle_answers_with_map_and_box(located):
    table = pd.read_csv(located / "predictions" / "test.csv")
    row = table[table["map_dice"] > 0.2].iloc[0]
    answer = Predictor.load(located, engine="torch")(row["path"])

    assert answer.heatmap.shape == (32, 32)
    assert answer.heatmap.max() == pytest.approx(row["map_peak"], abs=1e-5)
    assert answer.prediction == row["prediction"]
    x0, y0, x1, y1 = answer.box
    inside = np.argwhere(mask_of(row["label"], int("".join(filter(str.isdigit, row["sample_id"])))) > 0)
    assert (y0 <= inside.mean(axis=0)[0] <= y1) or (x0 <= inside.mean(axis=0)[1] <= x1)


def test_predictions_list_boxes(located, outlined, tmp_path):
    folder = (located / "samples.csv").parent
    paths = pd.read_csv(folder / "samples.csv")["path"]
    found = predict([f"bundle={located}", f"input={paths[0]}"], tmp_path)

    assert {"map_peak", "map_area", "x0", "y0", "x1", "y1"} <= set(found.columns)


def test_overlays_have_the_geometry_of_their_images(located, outlined, tmp_path):
    path = pd.read_csv(located / "samples.csv")["path"][0]
    predict([f"bundle={located}", f"input={path}", f"heatmaps={tmp_path / 'maps'}"], tmp_path)

    (file,) = (tmp_path / "maps").iterdir()
    with Image.open(file) as drawn, Image.open(path) as image:
        assert (drawn.size, drawn.mode) == (image.size, "RGB")


def test_an_ensemble_is_judged_by_its_joined_maps(located, tmp_path):
    """Twins answer together as each does alone; mirrored images are joined the right way round."""
    twin, joined, both = shutil.copytree(located, tmp_path / "twin"), tmp_path / "joined", tmp_path / "both"
    export([f"ensemble=[{located},{twin}]", "evaluation.resamples=20"], joined)
    export([f"ensemble=[{located},{twin}]", "evaluation.resamples=20", "tta=mirror"], both)

    alone, table = (pd.read_csv(run / "predictions" / "test.csv").set_index("sample_id") for run in (located, joined))
    for name in ("map_peak", "map_hit", "map_dice", "map_area"):
        np.testing.assert_allclose(table[name], alone.loc[table.index, name], atol=1e-5)
    threshold = read_results(located)["localization"]["threshold"]
    assert Predictor.load(joined).map_threshold == read_results(joined)["localization"]["threshold"] == threshold
    report = (joined / "report.html").read_text()
    assert "Where is the tumour?" in report

    mirrored = pd.read_csv(both / "predictions" / "test.csv")
    found = Predictor.load(both).batch(mirrored["path"].tolist())
    np.testing.assert_allclose([answer.heatmap.max() for answer in found], mirrored["map_peak"], atol=1e-4)


@pytest.mark.slow
def test_exports_give_the_same_maps(located, tmp_path):
    run = export_fp32(shutil.copytree(located, tmp_path / "run"))
    images = read_images(pd.read_csv(run / "predictions" / "test.csv")["path"].tolist(), 32, "")[:, None]
    bundle = Predictor.load(run).bundle
    maps = {name: open_engine(bundle, name)(images).map for name in ("torch", "onnxruntime", "openvino")}

    for name in ("onnxruntime", "openvino"):
        np.testing.assert_allclose(maps[name], maps["torch"], atol=1e-3)
        assert bundle.exports[name]["fp32"].checks["map_max_difference"] < 1e-3


def test_without_masks_it_says_so_and_answers_without_a_map(tmp_path, caplog):
    run = train([*write_set(tmp_path, masked=0), *SHORT, *MAP, "trainer.max_epochs=1"], tmp_path / "run")

    assert "None of the 24 training images of tumours has a mask: the map is not trained." in caplog.text
    assert "localization/dice" not in run.results["test"]
    answer = Predictor.load(run.run_dir)(draw("glioma", 3))
    assert answer.heatmap is None
    assert answer.box is None


@pytest.mark.slow
def test_without_masks_the_classes_train_as_with_unknown_ones(tmp_path):
    """Partly outlined sets train; the loss of the map counts images with a mask alone."""
    run = train([*write_set(tmp_path, masked=0.5), *SHORT, *MAP, "trainer.max_epochs=1"], tmp_path / "run")

    table = pd.read_csv(run.run_dir / "predictions" / "val.csv")
    assert {"map_dice", "map_area"} <= set(table.columns)
    assert torch.load(run.run_dir / "checkpoints" / "best.ckpt", weights_only=True)["hyper_parameters"]["localizer"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [["augmentation.mixup=0.3"], ["callbacks=[progressive_resizing,ema]"]])
def test_it_trains_with_mixing_and_with_small_images_first(options, outlined, tmp_path):
    run = train([*outlined, *SHORT, *MAP, "data.image_size=64", *options], tmp_path)

    assert np.isfinite(run.results["test"]["localization/dice"]["value"])


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_train_it(outlined, tmp_path):
    options = ["trainer=ddp_cpu", "trainer.timeout=60", "trainer.max_epochs=6", "optimizer.lr=1e-2"]
    run = train([*outlined, *SHORT, *MAP, *options], tmp_path)

    losses = pd.read_csv(run.run_dir / "metrics.csv")["train/loss"]
    assert losses.iloc[-1] < 0.8 * losses.iloc[0]
    assert json.loads((run.run_dir / "run.json").read_text())["processes"] == 2
    assert np.isfinite(run.results["test"]["localization/dice"]["value"])


def test_the_report_shows_maps_first(located):
    page = (located / "report.html").read_text()

    first_screen = page[: page.index(">Contents</h2>")]
    assert first_screen.count("Test image under its heat map, with outlines") == 4  # one of each class
    assert "Blue: true outline. Orange: what the map marks." in first_screen
    assert page.index(">Where is the tumour?</h2>") < page.index(">Metrics</h2>")
    assert "the centre of the head" in page
    assert (located / "figures" / "localization.png").stat().st_size > 10_000


@pytest.mark.slow
def test_other_data_are_evaluated_with_their_masks(located, tmp_path):
    rows = []
    for label in CENTRES:
        for number in range(50, 54):
            path, mask = tmp_path / f"{label}{number}.png", mask_of(label, number)
            Image.fromarray(draw(label, number)).save(path)
            rows.append({"path": path, "label": label, "mask_path": ""})
            if mask is not None:
                rows[-1]["mask_path"] = path.with_suffix(".tif")
                Image.fromarray(mask).save(rows[-1]["mask_path"])
    pd.DataFrame(rows).to_csv(tmp_path / "other.csv", index=False)
    options = [f"bundle={located}", "data=manifest", f"data.manifest={tmp_path / 'other.csv'}", "image_evidence=false"]
    results = evaluate([*options, "overlap=allow", "evaluation.resamples=20"], tmp_path / "out")

    assert results["test"]["localization/pointing"]["n"] == 12
    assert results["localization"]["threshold"] == read_results(located)["localization"]["threshold"]
    assert "Where is the tumour?" in (tmp_path / "out" / "report.html").read_text()
