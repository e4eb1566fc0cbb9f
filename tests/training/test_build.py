"""Callbacks as files in conf/callbacks: the essential ones are always there, and each can be changed or left out."""

import json
import logging

import pandas as pd
import pytest
import torch
from factories import SHORT
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint, Timer
from lightning.pytorch.loggers import CSVLogger

from brain_tumor.callbacks.best_checkpoint import BestCheckpoint
from brain_tumor.callbacks.resume_checkpoint import ResumeCheckpoint
from brain_tumor.callbacks.stop import Stop
from brain_tumor.config.compose import compose
from brain_tumor.errors import ConfigError
from brain_tumor.train import train
from brain_tumor.training import build as assemble
from brain_tumor.training.build_classifier import build_classifier
from brain_tumor.training.distributed.world import resolve_world
from brain_tumor.training.prepare import prepare

ESSENTIAL = [
    "StepSeed", "Throughput", "EpochTable", "LearningRate", "GradientNorm", "BestCheckpoint", "ResumeCheckpoint",
]  # fmt: skip


def callbacks(*overrides, loggers=(), stop=None):
    cfg = compose(["trainer.precision=32-true", *overrides])
    return assemble.build_trainer(cfg, list(loggers), stop).callbacks


def names(found):
    return [type(callback).__name__ for callback in found]


@pytest.mark.parametrize(
    ("listed", "before"),
    [
        ("[]", []),
        ("[progress]", ["EpochBar"]),
        ("[progress,ema]", ["EpochBar", "EMAWeightAveraging"]),
        ("[early_stopping]", ["EarlyStopping"]),
        ("[resume_checkpoint,best_checkpoint]", []),
    ],
)
def test_the_essential_ones_follow_whatever_is_listed(listed, before):
    assert names(callbacks(f"callbacks={listed}")) == [*before, *ESSENTIAL]


def test_experiments_and_searches_have_them_too():
    assert names(callbacks("experiment=quick"))[-7:] == ESSENTIAL
    assert set(names(callbacks("hparams_search=optuna"))) == {"EpochBar", "Pruning", *ESSENTIAL}


@pytest.mark.parametrize("key", ["step_seed", "throughput", "epoch_table", "learning_rate_monitor", "gradient_norm"])
def test_one_can_be_left_out(key):
    left = names(callbacks("callbacks=[]", f"~callbacks.{key}"))

    assert len(left) == len(ESSENTIAL) - 1
    assert [name for name in ESSENTIAL if name in left] == left


def test_one_can_be_changed_or_replaced():
    found = callbacks(
        "callbacks=[]",
        "callbacks.throughput._target_=lightning.pytorch.callbacks.Timer",
        "callbacks.best_checkpoint.monitor=val/auroc",
    )

    assert isinstance(found[1], Timer)
    assert next(callback for callback in found if isinstance(callback, ModelCheckpoint)).monitor == "val/auroc"


def test_the_state_to_resume_from_is_saved_last():
    found = callbacks(
        "+callbacks.mine._target_=lightning.pytorch.callbacks.ModelCheckpoint", "+callbacks.mine.filename=x"
    )

    assert names(found)[-2:] == ["ModelCheckpoint", "ResumeCheckpoint"]
    assert sum(isinstance(callback, Checkpoint) for callback in found) == 3


def test_the_request_to_stop_is_handed_over():
    stop = Stop()
    resume = callbacks(stop=stop)[-1]

    assert isinstance(resume, ResumeCheckpoint)
    assert resume._stop is stop


def test_no_trainer_without_the_best_weights():
    with pytest.raises(ConfigError, match=r"^callbacks\.best_checkpoint is left out, .*best_checkpoint\.monitor=null"):
        callbacks("~callbacks.best_checkpoint")


def test_another_checkpoint_can_take_its_place():
    target = "callbacks.best_checkpoint._target_=lightning.pytorch.callbacks.ModelCheckpoint"

    assert "BestCheckpoint" not in names(callbacks(target))


def test_without_a_checkpoint_to_resume_from():
    found = callbacks("callbacks=[]", "~callbacks.resume_checkpoint")

    assert isinstance(found[-1], BestCheckpoint)


@pytest.mark.parametrize("minutes", ["0", "-1"])
def test_minutes_out_of_range(minutes):
    with pytest.raises(
        ConfigError, match=rf"Invalid callbacks\.resume_checkpoint\.minutes={minutes}: expected minutes"
    ):
        callbacks(f"callbacks.resume_checkpoint.minutes={minutes}")


def test_a_mistake_in_one_names_its_key():
    with pytest.raises(ConfigError, match=r"callbacks\.throughput takes no speed"):
        callbacks("+callbacks.throughput.speed=3")


@pytest.fixture(scope="module")
def data(flat_folder):
    return ["data=folder", f"data.root={flat_folder}", *SHORT]


def test_the_last_epoch_is_kept_where_no_metric_is_monitored(data, tmp_path):
    run = train([*data, "callbacks.best_checkpoint.monitor=null", "optimizer.lr=3e-3"], tmp_path)

    best, last = (torch.load(tmp_path / "checkpoints" / f"{name}.ckpt", weights_only=True) for name in ("best", "last"))
    assert best["epoch"] == last["epoch"] == 2
    assert all(torch.equal(value, last["state_dict"][name]) for name, value in best["state_dict"].items())
    assert run.monitored == pytest.approx(pd.read_csv(tmp_path / "metrics.csv")["val/f1_macro"].iloc[-1])


def test_a_training_ends_without_those_that_can_be_left_out(data, tmp_path):
    left_out = ("throughput", "epoch_table", "learning_rate_monitor", "gradient_norm", "resume_checkpoint")
    run = train([*data, *(f"~callbacks.{name}" for name in left_out), "trainer.max_epochs=1"], tmp_path)

    assert run.results["test"]
    assert (tmp_path / "report.html").is_file()
    assert not (tmp_path / "metrics.csv").exists()
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()
    assert "data_wait" not in json.loads((tmp_path / "run.json").read_text())["training"]


class Memory(CSVLogger):
    def __init__(self, folder):
        super().__init__(folder)
        self.seen = set()

    def log_metrics(self, metrics, step=None):
        self.seen |= set(metrics)


@pytest.mark.parametrize("logged", [True, False])
def test_curves_go_to_loggers_and_nowhere_else(logged, data, tmp_path):
    cfg = compose([*data, "trainer.max_epochs=1", "trainer.log_every_n_steps=1", "trainer.precision=32-true"], tmp_path)
    datamodule = assemble.build_datamodule(cfg)
    datamodule.load()
    logger = Memory(tmp_path)

    trainer = assemble.build_trainer(cfg, [logger] if logged else [])
    trainer.fit(build_classifier(cfg, datamodule), datamodule)

    curves = {name for name in logger.seen if name.startswith("lr-") or name == "train/grad_norm"}
    assert len(curves) == (3 if logged else 0)  # two groups of parameters: with and without weight decay
    assert pd.read_csv(tmp_path / "metrics.csv")["lr"].notna().all()


@pytest.mark.parametrize(
    ("overrides", "lr", "reason"),
    [
        ([], 4e-3, "suggested by SmallCNN"),
        (["model=reference_cnn", "data.image_size=48"], 3e-4, "suggested by ReferenceCNN"),
        (["model=resnet18", "model.pretrained=false"], 3e-4, "suggested by ResNet"),
        (["model=swin_tiny", "model.pretrained=false"], 1e-4, "suggested by SwinTransformer"),
        (["optimizer=sgd"], 0.02, "optimizer.lr"),
        (["optimizer=sgd", "optimizer.lr=auto"], 4e-3, "suggested by SmallCNN"),
        (["optimizer.lr=0.5"], 0.5, "optimizer.lr"),
        (["trainer.accumulate_grad_batches=4", "lr_scaling=sqrt"], 8e-3, "suggested by SmallCNN"),
    ],
)
def test_learning_rates(overrides, lr, reason, flat_folder, tmp_path, caplog):
    chosen = ["data=folder", f"data.root={flat_folder}", "data.image_size=32", "data.num_workers=0"]
    cfg = compose([*chosen, "trainer.precision=32-true", *overrides], tmp_path)
    datamodule = assemble.build_datamodule(cfg)
    datamodule.load()
    with caplog.at_level(logging.INFO):
        classifier = prepare(cfg, datamodule, resolve_world(cfg), Stop()).classifier

    assert {group["lr"] for group in classifier._optimizer(classifier.network).param_groups} == {lr}
    assert f"({reason})" in caplog.text


def test_a_run_records_the_learning_rate_it_resolved(data, tmp_path):
    train([*data, "trainer.max_epochs=1"], tmp_path)

    assert json.loads((tmp_path / "run.json").read_text())["model"]["lr"] == 4e-3
    assert "lr: auto" in (tmp_path / ".hydra" / "config.yaml").read_text()
