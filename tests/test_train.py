"""The main job, end to end."""

import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from factories import CENTRES, SHORT, TINY, save
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from brain_tumor.errors import ConfigError, DataError
from brain_tumor.train import train


def weights_hash(run):
    state = torch.load(run.run_dir / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    return hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state))).hexdigest()


@pytest.fixture(scope="module")
def data(flat_folder):
    return ["data=folder", f"data.root={flat_folder}"]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return train([*data, *SHORT, "logger=tensorboard"], tmp_path_factory.mktemp("run"))


class TestRunDirectory:
    def test_holds_what_the_contract_names(self, run):
        names = {str(path.relative_to(run.run_dir)) for path in run.run_dir.rglob("*") if path.is_file()}
        assert {
            ".hydra/config.yaml", ".hydra/overrides.yaml", "run.json", "samples.csv", "metrics.csv", "results.json",
            "report.html", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "predictions/val.csv",
            "predictions/test.csv", "figures/loss_curves.png", "figures/confusion_matrix.png", "figures/roc.png",
            "figures/pr.png", "figures/reliability.png",
        } <= names  # fmt: skip
        assert not [name for name in names if "/." in name and not name.startswith(".hydra")]

    def test_checkpoints_load_without_running_code(self, run):
        for name in ("best", "last"):
            checkpoint = torch.load(run.run_dir / "checkpoints" / f"{name}.ckpt", weights_only=True)
            assert checkpoint["hyper_parameters"]["classes"] == ["glioma", "meningioma", "no_tumor", "pituitary"]
            assert checkpoint["hyper_parameters"]["image_size"] == 32

    def test_record(self, run):
        record = json.loads((run.run_dir / "run.json").read_text())
        assert record["status"] == "finished"
        assert record["data"]["found"] == 48
        assert record["training"]["epochs"] == 3
        assert set(record["seconds"]) == {"data", "fit", "predict", "evaluate", "bundle", "report"}
        assert len(record["data"]["digest"]) == 64
        assert record["data"]["split"] == "grouped"  # what split=auto comes to where the data bring none

    def test_the_report_shows_images_under_their_saliency(self, run):
        page = (run.run_dir / "report.html").read_text()
        assert page.count('alt="Test image under its heat map, with outlines"') == 4  # one per class
        assert "Saliency of the predicted class" in page
        predictions = pd.read_csv(run.run_dir / "predictions" / "test.csv")
        wrong = (predictions["prediction"] != predictions["label"]).sum()
        assert ("Most confident errors" in page) == (wrong > 0)
        assert page.count("✗ predicted") >= min(wrong, 8)
        assert not (run.run_dir / "figures" / "localization.png").exists()

    def test_metrics_have_a_row_an_epoch(self, run):
        epochs = pd.read_csv(run.run_dir / "metrics.csv")
        assert epochs["epoch"].tolist() == [0, 1, 2]
        assert {"train/loss", "val/loss", "val/f1_macro", "lr", "seconds"} <= set(epochs.columns)
        assert epochs["val/f1_macro"].max() == pytest.approx(run.monitored)

    def test_every_sample_is_predicted_once(self, run):
        samples = pd.read_csv(run.run_dir / "samples.csv", dtype=str)
        for split in ("val", "test"):
            predicted = pd.read_csv(run.run_dir / "predictions" / f"{split}.csv", dtype=str)
            expected = samples[samples["split"] == split]
            assert predicted["sample_id"].tolist() == expected["sample_id"].tolist()
            assert predicted["label"].tolist() == expected["label"].tolist()

    def test_results_are_those_of_the_predictions(self, run):
        table = pd.read_csv(run.run_dir / "predictions" / "test.csv")
        found = {name: metric["value"] for name, metric in run.results["test"].items()}
        classes = sorted(set(table["label"]))
        p = table[[f"p_{name}" for name in classes]].to_numpy()

        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
        assert found["f1_macro"] == pytest.approx(f1_score(table["label"], table["prediction"], average="macro"))
        assert found["accuracy"] == pytest.approx(accuracy_score(table["label"], table["prediction"]))
        tumour = table["label"] != "no_tumor"
        assert found["detection/auroc"] == pytest.approx(roc_auc_score(tumour, 1 - table["p_no_tumor"]))
        assert run.results == json.loads((run.run_dir / "results.json").read_text())
        assert run.results["n"]["test"]["images"] == len(table)
        for metric in run.results["test"].values():
            assert metric["value"] is None or metric["ci_low"] <= metric["value"] <= metric["ci_high"]

    def test_validation_result_is_that_of_the_best_epoch(self, run):
        """Final numbers come from the best weights, through the same images."""
        assert run.results["val"]["f1_macro"]["value"] == pytest.approx(run.monitored, abs=1e-6)

    def test_final_metrics_reach_the_logger(self, run):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(run.run_dir / "tensorboard"))
        events.Reload()
        tags = events.Tags()["scalars"]
        assert "final/test/f1_macro" in tags
        assert "val/f1_macro" in tags


def test_it_learns(data, tmp_path):
    run = train(
        [*data, *TINY, "data.batch_size=8", "trainer.max_epochs=25", "optimizer.lr=5e-3", "augmentation=none"], tmp_path
    )

    assert run.results["test"]["accuracy"]["value"] > 0.8


def test_same_seed_twice_is_identical(data, run, tmp_path):
    again = train([*data, *SHORT], tmp_path)

    assert weights_hash(again) == weights_hash(run)
    assert again.results == run.results
    for table in ("predictions/test.csv", "samples.csv"):
        assert (again.run_dir / table).read_bytes() == (run.run_dir / table).read_bytes()


@pytest.mark.slow
def test_workers_change_nothing(data, run, tmp_path):
    again = train([*data, *SHORT, "data.num_workers=2"], tmp_path)

    assert weights_hash(again) == weights_hash(run)
    assert (again.run_dir / "samples.csv").read_bytes() == (run.run_dir / "samples.csv").read_bytes()


@pytest.mark.slow
def test_another_seed_is_another_run(data, run, tmp_path):
    other = train([*data, *SHORT, "seed=1"], tmp_path)

    assert weights_hash(other) != weights_hash(run)
    assert (other.run_dir / "samples.csv").read_bytes() == (run.run_dir / "samples.csv").read_bytes()


@pytest.mark.slow
def test_another_seed_of_the_split_is_another_split(data, run, tmp_path):
    other = train([*data, *SHORT, "split.seed=1", "trainer.max_epochs=1"], tmp_path)

    assert (other.run_dir / "samples.csv").read_bytes() != (run.run_dir / "samples.csv").read_bytes()


@pytest.mark.slow
def test_phantoms(tmp_path, capsys):
    run = train([*SHORT, "data.patients=24", "data.slices=2", "trainer.max_epochs=1"], tmp_path)

    samples = pd.read_csv(run.run_dir / "samples.csv")
    assert samples.groupby("patient_id")["split"].nunique().max() == 1
    assert "generated phantoms" in (run.run_dir / "report.html").read_text()
    assert "brain-tumor init DIR" in capsys.readouterr().out  # phantoms are tried first, then images of one's own


@pytest.mark.slow
def test_manifest(manifest_csv, tmp_path):
    run = train(["data=manifest", f"data.manifest={manifest_csv}", *SHORT, "trainer.max_epochs=1"], tmp_path)

    samples = pd.read_csv(run.run_dir / "samples.csv")
    assert samples.groupby("patient_id")["split"].nunique().max() == 1
    assert run.results["n"]["test"]["groups"] < run.results["n"]["test"]["images"]


@pytest.mark.slow
def test_three_pictures_of_each_class_will_do(tmp_path):
    for label in ("glioma", "no_tumor"):
        for number in range(3):
            save(tmp_path / "scans" / label / f"{number}.png", label, number)

    run = train(["data=folder", f"data.root={tmp_path / 'scans'}", *SHORT, "trainer.max_epochs=1"], tmp_path / "run")

    assert run.results["n"]["test"] == {"images": 2, "groups": 2, "per_class": {"glioma": 1, "no_tumor": 1}}


@pytest.mark.slow
def test_corrupt_images_are_left_out_on_request(flat_folder, tmp_path, caplog):
    import shutil

    root = shutil.copytree(flat_folder, tmp_path / "scans")
    (root / "glioma" / "bad.png").write_bytes(b"no image")
    options = ["data=folder", f"data.root={root}", *SHORT, "trainer.max_epochs=1", "data.on_error=skip"]

    run = train(options, tmp_path / "run")

    record = json.loads((run.run_dir / "run.json").read_text())
    assert (record["data"]["found"], record["data"]["readable"]) == (49, 48)
    assert "bad.png" in caplog.text


@pytest.mark.slow
def test_extras_go_together(data, tmp_path):
    """EMA, weights per class, mixing, focal loss, plateau and accumulation in one run, validated as it is tested."""
    run = train(
        [
            *data, *SHORT, "callbacks=[ema,early_stopping]", "data.imbalance=class_weights", "augmentation=heavy",
            "augmentation.cutmix=1.0", "loss=focal", "optimizer=sgd", "scheduler=plateau",
            "trainer.accumulate_grad_batches=2",
        ],
        tmp_path,
    )  # fmt: skip

    assert run.results["val"]["f1_macro"]["value"] == pytest.approx(run.monitored, abs=1e-6)


@pytest.mark.slow
def test_sampler_unfreezing_folds_and_bf16(data, tmp_path):
    options = ["data.imbalance=sampler", "callbacks=[unfreeze]", "split=kfold", "split.folds=4", "split.fold=2"]
    run = train([*data, *SHORT, *options, "trainer.precision=bf16-mixed"], tmp_path)

    assert run.results["n"]["test"] == {"images": 12, "groups": 12, "per_class": dict.fromkeys(CENTRES, 3)}
    assert run.results["val"]["f1_macro"]["value"] == pytest.approx(run.monitored, abs=1e-6)


class TestDebug:
    def test_fast_runs_two_batches_and_says_so(self, data, tmp_path):
        run = train([*data, *SHORT, "debug=fast", "data.eval_batch_size=2"], tmp_path)

        assert len(pd.read_csv(run.run_dir / "predictions" / "test.csv")) == 4
        assert "the figures mean nothing" in (run.run_dir / "report.html").read_text()

    @pytest.mark.slow
    def test_overfit_learns_by_heart(self, data, tmp_path):
        run = train(
            [*data, *TINY, "debug=overfit", "data.batch_size=8", "loss.smoothing=0", "optimizer.lr=5e-3"], tmp_path
        )

        losses = pd.read_csv(run.run_dir / "metrics.csv")["train/loss"]
        assert losses.iloc[-1] < 0.2 * losses.iloc[0]

    @pytest.mark.slow
    def test_profile_leaves_a_table(self, data, tmp_path):
        train([*data, *SHORT, "debug=profile"], tmp_path)

        assert "run_training_batch" in (tmp_path / "fit-profile.txt").read_text()

    @pytest.mark.slow
    def test_one_batch_says_so_too(self, data, tmp_path):
        """To Lightning 1 is one batch and 1.0 are all; brackets in a path are no markup."""
        run = train([*data, *SHORT, "trainer.max_epochs=1", "trainer.limit_train_batches=1"], tmp_path / "[/b] it's ü")

        assert "the figures mean nothing" in (run.run_dir / "report.html").read_text()


@pytest.mark.slow
def test_epochs_without_validation_have_no_validation_metrics(data, tmp_path):
    train([*data, *SHORT, "trainer.max_epochs=4", "trainer.check_val_every_n_epoch=2"], tmp_path)

    validated = pd.read_csv(tmp_path / "metrics.csv")["val/loss"].notna()
    assert validated.tolist() == [False, True, False, True]


class TestMistakes:
    def test_they_raise_in_python(self, tmp_path):
        with pytest.raises(ConfigError, match=r"optimizer\.speed"):
            train(["optimizer.speed=1"], tmp_path)

    def test_a_failed_run_says_why_and_can_be_tried_again(self, data, tmp_path):
        with pytest.raises(DataError, match="is missing"):
            train(["data=folder", "data.root=/no/such", *SHORT], tmp_path)
        record = json.loads((tmp_path / "run.json").read_text())
        assert record["status"] == "failed"
        assert record["reason"].startswith("data.root=/no/such is missing")

        train([*data, *SHORT, "trainer.max_epochs=1"], tmp_path)
        assert json.loads((tmp_path / "run.json").read_text())["status"] == "finished"

    def test_a_finished_run_stays(self, data, run):
        before, overrides = weights_hash(run), (run.run_dir / ".hydra" / "overrides.yaml").read_text()
        with pytest.raises(ConfigError, match="overwrite=true"):
            train([*data, *SHORT, "seed=7"], run.run_dir)
        assert weights_hash(run) == before
        assert (run.run_dir / ".hydra" / "overrides.yaml").read_text() == overrides


@pytest.mark.shared
@pytest.mark.slow
def test_pretrained_weights_from_a_file(shared, data, tmp_path):
    weights = f"model.weights={shared / 'weights' / 'mobilenetv2_100.safetensors'}"
    run = train([*data, *SHORT[1:], "model=mobilenetv2", weights, "trainer.max_epochs=1"], tmp_path)

    assert math.isfinite(run.results["test"]["nll"]["value"])


@pytest.mark.shared
@pytest.mark.slow
def test_real_scans(shared, tmp_path):
    options = ["experiment=reference_task", f"data.root={shared / 'data' / 'preetviradiya'}", *TINY]
    run = train([*options, "trainer.max_epochs=1", "augmentation=none"], tmp_path)

    samples = pd.read_csv(run.run_dir / "samples.csv")
    assert samples.groupby("group")["split"].nunique().max() == 1
    assert len(samples) == 4600
