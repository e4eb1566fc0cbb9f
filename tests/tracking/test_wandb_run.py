"""What a training logs to wandb, offline, read back with wandb's own reader."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, roc_curve
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb_files import artifact, media_table, offline_log, records_of, sha256, summary_of

from brain_tumor.errors import BrainTumorError, DataError
from brain_tumor.serving.bundle import CARD, CONFIG, TRAINING_DIGESTS, WEIGHTS
from brain_tumor.train import train

pytestmark = pytest.mark.slow

TINY = [
    "model.widths=[8,16,16,16]", "data.image_size=32", "data.num_workers=0", "data.batch_size=8", "callbacks=[]",
    "evaluation.resamples=20", "logger.wandb.offline=true", "trainer.log_every_n_steps=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(flat_folder):
    return ["data=folder", f"data.root={flat_folder}"]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_DATA_DIR", str(folder / "data"))
        patch.setenv("WANDB_SILENT", "true")
        extras = ["trainer.max_epochs=3", "logger.wandb.tags=[mine]", "seed=3", "logger=[wandb,tensorboard]"]
        return train([*data, *TINY, *extras], folder / "run")


@pytest.fixture(scope="module")
def log(run):
    return offline_log(run.run_dir)


@pytest.fixture(scope="module")
def summary(log):
    return summary_of(log)


@pytest.fixture(scope="module")
def history(log):
    return [record["item"] for record in records_of(log, "history")]


def test_name_and_tags(run, summary, data):
    folder = data[1].rpartition("/")[2]
    assert summary["name"] == f"{folder}_small_cnn"
    assert summary["tags"] == ["mine", folder, "small_cnn", "grouped"]
    assert summary["exit_code"] == 0
    assert summary["run_id"] == json.loads((run.run_dir / "run.json").read_text())["wandb_id"]


def test_configuration_and_facts(run, log, summary):
    config = summary["config"]
    assert config["optimizer"]["lr"] == "auto"
    assert config["trainer"]["max_epochs"] == 3
    record = json.loads((run.run_dir / "run.json").read_text())
    assert config["facts"]["data"]["digest"] == record["data"]["digest"]
    assert config["facts"]["data"]["train"] == record["data"]["train"]
    assert config["facts"]["git_sha"] == record["git_sha"]
    assert config["options"] == {"data": "folder", "callbacks": "[]", "logger": "[wandb,tensorboard]"}
    assert record["wandb_url"] is None  # offline
    assert records_of(log, "run")[0]["job_type"] == "train"


def test_curves_are_those_of_metrics_csv(run, log, history):
    epochs = pd.read_csv(run.run_dir / "metrics.csv")
    for name in ("val/f1_macro", "val/loss", "train/loss"):
        rows = [row for row in history if name in row]
        assert [row["epoch"] for row in rows] == [0, 1, 2]
        np.testing.assert_allclose([row[name] for row in rows], epochs[name], rtol=1e-6)
    norms = [row for row in history if "train/grad_norm" in row]
    assert len(norms) == 6  # 36 // 8 = 4 steps per epoch, every second one logged
    assert all(row["train/grad_norm"] > 0 for row in norms)
    assert any(key.startswith("lr-") for row in history for key in row)


def test_axes_and_summaries_are_defined(log):
    defined = {metric.get("name") or metric["glob_name"]: metric for metric in records_of(log, "metric")}

    assert defined["val/f1_macro"]["step_metric"] == defined["train/loss"]["step_metric"] == "epoch"
    assert defined["val/f1_macro"]["summary"] == {"max": True, "last": True}
    assert defined["val/loss"]["summary"] == {"min": True, "last": True}
    assert defined["*"]["step_metric"] == "trainer/global_step"


def test_summary_has_best_last_and_final(run, summary):
    epochs = pd.read_csv(run.run_dir / "metrics.csv")
    values = summary["summary"]
    assert values["val/f1_macro"] == pytest.approx(
        {"max": epochs["val/f1_macro"].max(), "last": epochs["val/f1_macro"].iloc[-1]}
    )
    assert values["val/loss"] == pytest.approx({"min": epochs["val/loss"].min(), "last": epochs["val/loss"].iloc[-1]})
    for split in ("val", "test"):
        assert values[f"final/{split}/f1_macro"] == pytest.approx(run.results[split]["f1_macro"]["value"])
    assert values["final/leakage/test_in_train"] == 0


def test_gradient_norms_reach_tensorboard_too(run):
    events = EventAccumulator(str(run.run_dir / "tensorboard"))
    events.Reload()
    assert len(events.Scalars("train/grad_norm")) == 6


def test_figures_are_the_runs_own(run, log, summary):
    for path in (run.run_dir / "figures").glob("*.png"):
        logged = summary["summary"][f"figures/{path.stem}"]
        assert sha256(log.parent / "files" / logged["path"]) == logged["sha256"] == sha256(path)
    assert (run.run_dir / "figures" / "reliability.png").is_file()


def test_charts_agree_with_the_predictions(run, log):
    table = pd.read_csv(run.run_dir / "predictions" / "test.csv")
    classes = sorted(set(table["label"]))
    matrix = media_table(log, "test/confusion_matrix_table")["data"]
    counts = confusion_matrix(table["label"], table["prediction"], labels=classes)
    assert [row[2] for row in matrix] == counts.ravel().tolist()

    roc = pd.DataFrame(**{key: media_table(log, "test/roc_table")[key] for key in ("data", "columns")})
    for name in classes:
        x, y, _ = roc_curve(table["label"] == name, table[f"p_{name}"])
        drawn = roc[roc["class"] == name]
        np.testing.assert_allclose(drawn[["x", "y"]], np.stack([x, y], axis=1))
    assert set(media_table(log, "test/pr_table")["columns"]) == {"class", "x", "y"}
    assert sum(row[2] for row in media_table(log, "test/reliability_table")["data"]) == len(table)


class TestErrors:
    def test_they_are_the_most_confident_wrong_predictions(self, run, log):
        table = pd.read_csv(run.run_dir / "predictions" / "test.csv")
        wrong = table[table["label"] != table["prediction"]]
        errors = media_table(log, "test/errors")
        rows = pd.DataFrame(errors["data"], columns=errors["columns"])

        assert 0 < len(wrong) <= 32
        assert set(rows["sample_id"]) == set(wrong["sample_id"])
        assert rows["probability"].is_monotonic_decreasing
        assert errors["columns"] == [
            "sample_id", "class", "prediction", "probability", "group", "image", "saliency"
        ]  # fmt: skip

    def test_images_are_the_inputs(self, run, log, data):
        """The images of the table are in its artifact."""
        table = artifact(log, "run_table", f"run-{log.stem.removeprefix('run-')}-testerrors")
        [path] = [path for name, path in table["files"].items() if name.endswith(".table.json")]
        images = {sha256(path): path for name, path in table["files"].items() if name.endswith(".png")}
        for row in json.loads(path.read_text())["data"]:
            with Image.open(images[row[-2]["sha256"]]) as image, Image.open(images[row[-1]["sha256"]]) as overlay:
                assert (image.size, image.mode, overlay.mode) == ((32, 32), "L", "RGB")
                source = Image.open(f"{data[1].removeprefix('data.root=')}/{row[0]}").resize((32, 32))
                assert np.corrcoef(np.ravel(image), np.ravel(source))[0, 1] > 0.95
                assert len(np.unique(np.asarray(overlay), axis=0)) > 1

    def test_no_path_of_this_machine_is_in_a_table(self, run, log, data):
        root = data[1].removeprefix("data.root=")
        for path in (log.parent / "files" / "media" / "table").rglob("*.json"):
            assert root not in path.read_text()


class TestArtifacts:
    def test_the_split_is_an_input(self, run, log):
        split = artifact(log, "dataset", "split-")
        assert split["use_after_commit"] is True
        assert "grouped" in split["aliases"]
        assert split["metadata"]["digest"] == json.loads((run.run_dir / "run.json").read_text())["data"]["digest"]
        assert split["metadata"]["leakage"] == {"val_in_train": 0, "test_in_train": 0, "test_in_val": 0}

        logged = pd.read_csv(split["files"]["samples.csv"], dtype=str)
        assert not {"path", "mask_path", "patient_id"} & set(logged.columns)
        samples = pd.read_csv(run.run_dir / "samples.csv", dtype=str)
        assert logged["split"].tolist() == samples["split"].tolist()

    def test_it_can_be_trained_on_again(self, run, log, data, tmp_path):
        split = artifact(log, "dataset", "split-")["files"]["samples.csv"]
        options = [option for option in TINY if "wandb" not in option]
        again = train([*data, *options, "split=file", f"split.path={split}", "trainer.max_epochs=1"], tmp_path)

        assert (again.run_dir / "samples.csv").read_bytes() == (run.run_dir / "samples.csv").read_bytes()

    def test_the_model_is_an_output_and_no_copy(self, run, log):
        model = artifact(log, "model", "model-")
        assert "best" in model["aliases"]
        assert model.get("use_after_commit", False) is False
        assert {name: path.resolve() for name, path in model["files"].items()} == {
            "checkpoints/best.ckpt": run.run_dir / "checkpoints" / "best.ckpt",
            "hydra/config.yaml": run.run_dir / ".hydra" / "config.yaml",
            "results.json": run.run_dir / "results.json",
            **{f"bundle/{name}": run.run_dir / "bundle" / name for name in (CONFIG, WEIGHTS, CARD, TRAINING_DIGESTS)},
        }
        assert model["metadata"]["monitor"] == "val/f1_macro"
        assert model["metadata"]["best"] == pytest.approx(run.monitored)
        assert model["metadata"]["classes"] == ["glioma", "meningioma", "no_tumor", "pituitary"]


def test_images_and_weights_can_stay_private(data, tmp_path):
    private = ["logger=wandb", "logger.wandb.images=false", "logger.wandb.log_model=false", "trainer.max_epochs=1"]
    train([*data, *TINY, *private], tmp_path)
    log = offline_log(tmp_path)

    assert media_table(log, "test/errors")["columns"][-1] == "group"
    assert not [record for record in records_of(log, "artifact") if record["type"] == "model"]
    images = {path.parent.name for path in (log.parent / "files" / "media").rglob("*.png")}
    assert images == {"figures"}


def test_allowed_leakage_is_a_tag(parted_folder, tmp_path):
    for number, path in enumerate(sorted(parted_folder.glob("Training/*/*.png"))[:20:5]):
        copy = tmp_path / "scans" / "Testing" / path.parent.name / f"copy{number}.png"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    for path in parted_folder.glob("T*ing/*/*.png"):
        place = tmp_path / "scans" / path.relative_to(parted_folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    leaky = ["split=official", "split.allow_leakage=true", "logger=wandb", "trainer.max_epochs=1"]
    train(["data=folder", f"data.root={tmp_path / 'scans'}", *TINY, *leaky], tmp_path / "run")

    assert summary_of(offline_log(tmp_path / "run"))["tags"] == ["scans", "small_cnn", "official", "leaky"]


class TestFailures:
    def test_an_error_fails_the_run(self, tmp_path):
        with pytest.raises(DataError):
            train(["data=folder", "data.root=/no/such", *TINY, "logger=wandb"], tmp_path)

        assert summary_of(offline_log(tmp_path))["exit_code"] == 1

    def test_divergence_fails_the_run(self, data, tmp_path):
        wild = ["optimizer.lr=1e20", "trainer.gradient_clip_val=null", "trainer.max_epochs=3", "logger=wandb"]
        with pytest.raises(BrainTumorError, match="training diverged"):
            train([*data, *TINY, *wild], tmp_path)

        logged = summary_of(offline_log(tmp_path))
        assert (logged["exit_code"], logged["state"]) == (1, "failed")


@pytest.mark.slow
def test_jobs_of_a_sweep_are_runs_of_one_group(data, tmp_path):
    sweep = ["seed=0,1", f"hydra.sweep.dir={tmp_path / 'lr_study'}", "trainer.max_epochs=1", "logger=wandb"]
    command = [sys.executable, "-m", "brain_tumor", "train", "--multirun", *data, *TINY, *sweep]

    done = subprocess.run(command, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stderr
    logs = [offline_log(tmp_path / "lr_study" / str(job)) for job in range(2)]
    summaries = [summary_of(log) for log in logs]
    assert len({run["run_id"] for run in summaries}) == 2
    assert [run["name"].rpartition("_")[2] for run in summaries] == ["0", "1"]
    assert [run["config"]["seed"] for run in summaries] == [0, 1]
    assert {records_of(log, "run")[0]["run_group"] for log in logs} == {"lr_study"}
