"""``tune=[batch_size,lr]``: Lightning's tuner before a training, with reasons and a curve."""

import json

import numpy as np
import pytest
import torch
from factories import SHORT, TINY
from PIL import Image

from brain_tumor.config.compose import compose
from brain_tumor.errors import ConfigError
from brain_tumor.train import train
from brain_tumor.training.build import build_datamodule
from brain_tumor.training.distributed.world import World
from brain_tumor.training.tune import apply, steepest, tune

ALONE = World(1, 0, 1, "own")


@pytest.fixture(scope="module")
def data(flat_folder):
    return ["data=folder", f"data.root={flat_folder}"]


@pytest.fixture(scope="module")
def tuned(data, tmp_path_factory):
    """Run directory of a training that found both. Read only."""
    run_dir = tmp_path_factory.mktemp("tuned")
    return train([*data, *TINY, "tune=[lr,batch_size]", "data.batch_size=2", "trainer.max_epochs=1"], run_dir).run_dir


def found_in(run_dir):
    return json.loads((run_dir / "run.json").read_text())["tuning"]


@pytest.mark.slow
def test_the_batch_size_leaves_four_steps_per_epoch(tuned):
    found = found_in(tuned)["batch_size"]
    record = json.loads((tuned / "run.json").read_text())

    assert found["value"] == 8  # 34 training images: 16 would leave two steps
    assert found["reason"] == "the next would leave fewer than 4 steps per epoch"
    assert record["training"]["steps"] == record["data"]["train"] // 8


@pytest.mark.slow
def test_the_rate_that_was_found_is_trained_with(tuned):
    found = found_in(tuned)["lr"]

    assert found["value"] in found["curve"]["lr"]
    assert json.loads((tuned / "run.json").read_text())["model"]["lr"] == found["value"]
    assert found["reason"].startswith("the training loss fell most steeply there, of ")


@pytest.mark.slow
def test_the_report_shows_curve_and_reasons(tuned):
    page = (tuned / "report.html").read_text()

    assert "Learning-rate finder" in page
    assert "the next would leave fewer than 4 steps per epoch" in page
    with Image.open(tuned / "figures" / "learning_rates.png") as figure:
        assert figure.size[0] > 300


@pytest.mark.slow
def test_the_same_seed_finds_the_same(data, tmp_path):
    cfg = compose([*data, *SHORT, "trainer.precision=32-true", "tune=[lr]"], tmp_path)
    curves = []
    for _ in range(2):
        datamodule = build_datamodule(cfg)
        datamodule.load()
        torch.manual_seed(0)
        curves.append(tune(cfg.copy(), datamodule, ALONE, None)["lr"]["curve"])

    assert curves[0] == curves[1]
    assert len(curves[0]["lr"]) == len(curves[0]["loss"]) >= 20


@pytest.mark.slow
def test_a_training_starts_as_if_nothing_had_been_tried(data, tuned, tmp_path):
    found = found_in(tuned)
    values = [f"data.batch_size={found['batch_size']['value']}", f"optimizer.lr={found['lr']['value']!r}"]
    plain = train([*data, *TINY, *values, "trainer.max_epochs=1"], tmp_path).run_dir

    weights = [torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"] for run in (plain, tuned)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.slow
def test_a_resumed_run_keeps_what_it_found(data, tmp_path):
    settings = [*data, *SHORT, "tune=[lr]"]
    run_dir = train([*settings, "trainer.max_epochs=1"], tmp_path).run_dir
    record = json.loads((run_dir / "run.json").read_text())
    changed = {**record["tuning"]["lr"], "value": 0.0123}
    (run_dir / "run.json").write_text(json.dumps(record | {"status": "preempted", "tuning": {"lr": changed}}))

    train([*settings, "trainer.max_epochs=2", "resume=auto"], run_dir)

    assert json.loads((run_dir / "run.json").read_text())["model"]["lr"] == 0.0123


def test_nothing_found_changes_nothing(data, tmp_path):
    cfg = compose([*data, *SHORT], tmp_path)
    datamodule = build_datamodule(cfg)

    apply({"lr": {"value": None}, "batch_size": {"value": None}}, cfg, datamodule)

    assert (cfg.optimizer.lr, cfg.data.batch_size, datamodule.batch_size) == ("auto", 8, 8)


def test_not_under_another_launcher(data, tmp_path):
    cfg = compose([*data, *SHORT, "tune=[lr]"], tmp_path)

    with pytest.raises(ConfigError, match=r"tune=\['lr'\] cannot run under torchrun; run it once with one process"):
        tune(cfg, build_datamodule(cfg), World(2, 0, 2, "torchrun"), None)


@pytest.mark.parametrize("wrong", ["tune=lr", "tune=[rate]"])
def test_other_settings(wrong):
    with pytest.raises(ConfigError, match=r"Invalid tune=.*: expected a list of lr and batch_size"):
        compose([wrong])


def test_the_steepest_fall_is_that_over_the_logarithm():
    """Of a logistic fall around 1e-3; over the rate itself it would be steepest further left."""
    rates = np.logspace(-6, 0, 121)
    losses = 1 / (1 + (rates / 1e-3) ** 2)

    assert steepest(rates, losses) == pytest.approx(1e-3, rel=0.2)
    assert steepest(rates[:12], losses[:12]) is None
