"""Runs that are killed at a chosen moment, moved, and resumed: the same weights, or a refusal by name."""

import json
import shutil

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
from factories import CENTRES, draw, save
from omegaconf import OmegaConf
from PIL import Image

from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.errors import ConfigError, RunDirError
from brain_tumor.models.classifier import ValidationScores
from brain_tumor.pipelines import training
from brain_tumor.train import train

SMALL = [
    *("model.widths=[8,16]", "data.image_size=32", "data.batch_size=8", "data.num_workers=0", "callbacks=[]"),
    *("evaluation.resamples=20", "trainer.max_epochs=4", "trainer.precision=32-true"),
    "callbacks.resume_checkpoint.minutes=1e-6",  # a checkpoint after each of the four steps of an epoch
]
EVALUATION = 1000
"""A moment after all checkpoints."""


class KilledError(Exception):
    """Ends a run as a signal would."""


@pytest.fixture
def start(flat_folder, monkeypatch):
    """Function that trains until a moment: the number of the checkpoint after which the run is killed."""

    def run(folder, *options, until=None):
        save, saved = L.Trainer.save_checkpoint, []

        def save_and_die(trainer, path, *arguments, **keywords):
            save(trainer, path, *arguments, **keywords)
            saved.append(path.name if hasattr(path, "name") else path)
            if saved.count("last.ckpt") == until:
                raise KilledError

        def die(*_):
            raise KilledError

        with monkeypatch.context() as patch:
            patch.setattr(L.Trainer, "save_checkpoint", save_and_die)
            if until == EVALUATION:
                patch.setattr(training, "compute_evidence", die)
            try:
                return train(["data=folder", f"data.root={flat_folder}", *SMALL, *options], folder)
            except KilledError:
                return None

    return run


def outcome(folder):
    """The last weights, the best ones, and the table of epochs without its timings."""
    states = [
        torch.load(folder / "checkpoints" / name, weights_only=True)["state_dict"]
        for name in ("last.ckpt", "best.ckpt")
    ]
    table = pd.read_csv(folder / "metrics.csv")
    table = table[[name for name in table if name != "seconds" and not name.startswith("speed/")]]
    return [{name: tensor.tolist() for name, tensor in state.items()} for state in states], table.to_dict()


def config(folder, key):
    return OmegaConf.select(OmegaConf.load(folder / ".hydra" / "config.yaml"), key)


CALLBACKS = {
    "ema": ["callbacks=[ema]"],
    "early_stopping": [
        *("callbacks=[early_stopping]", "callbacks.early_stopping.patience=1", "optimizer.lr=1e-7"),
        "augmentation=none",
    ],
    "freeze": ["callbacks=[freeze]"],
    "unfreeze": ["callbacks=[unfreeze]"],
    "progressive_resizing": ["callbacks=[progressive_resizing]", "callbacks.progressive_resizing.until=1"],
    "pruning": ["callbacks=[pruning]", "trainer.accumulate_grad_batches=2"],
    "progress": ["callbacks=[progress]", "scheduler=one_cycle", "augmentation.mixup=0.2"],
}
"""Option of ``callbacks`` → overrides of a run with it."""
ESSENTIAL = {
    *("best_checkpoint", "epoch_table", "essential", "gradient_norm", "learning_rate_monitor", "resume_checkpoint"),
    *("step_seed", "throughput"),
}
"""Callbacks of every run."""


def test_each_shipped_callback_is_tried():
    assert {path.stem for path in (CONF_DIR / "callbacks").glob("*.yaml")} == {*CALLBACKS, *ESSENTIAL}


@pytest.mark.slow
@pytest.mark.parametrize("options", CALLBACKS.values(), ids=CALLBACKS)
def test_killed_moved_and_resumed_in_training_and_in_evaluation(options, start, tmp_path):
    start(tmp_path / "whole", *options, until=EVALUATION)
    start(tmp_path / "a", *options, until=2)
    (tmp_path / "a").rename(tmp_path / "b")
    start(tmp_path / "b", *options, "resume=auto", until=3)
    shutil.copytree(tmp_path / "b", tmp_path / "c")
    shutil.rmtree(tmp_path / "b")
    start(tmp_path / "c", *options, "resume=auto", until=EVALUATION)
    (tmp_path / "c").rename(tmp_path / "d")

    run = start(tmp_path / "d", *options, "resume=auto")

    assert outcome(tmp_path / "d") == outcome(tmp_path / "whole")
    assert run.results["test"]
    speeds = pd.read_csv(tmp_path / "d" / "metrics.csv")
    assert speeds["speed/data_wait"].between(0, 0.95).all()


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["callbacks=[ema,progressive_resizing]", "augmentation.cutmix=0.5"]])
def test_killed_and_resumed_with_a_localizer(options, start, tmp_path):
    for label in CENTRES:
        for number in range(12):
            image = draw(label, number)
            path = save(tmp_path / "scans" / label / f"{number:02d}.png", label, number)
            if CENTRES[label]:
                Image.fromarray(np.where(image > 130, 255, 0).astype(np.uint8)).save(
                    path.with_stem(f"{path.stem}_mask")
                )
    options = [*options, "localizer=map", "localizer.width=8", f"data.root={tmp_path / 'scans'}"]
    start(tmp_path / "whole", *options, until=EVALUATION)
    for moment in (2, 3, EVALUATION):
        start(tmp_path / "cut", *options, "resume=auto", until=moment)

    run = start(tmp_path / "cut", *options, "resume=auto")

    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
    assert run.results["test"]["localization/dice"]["n"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("monitor", ["val/f1_macro", "null"])
def test_a_moved_run_keeps_its_best_weights(monitor, start, tmp_path, monkeypatch):
    scores, compute = iter([0.2, 0.9, 0.4, 0.3]), ValidationScores.compute
    monkeypatch.setattr(
        ValidationScores, "compute", lambda self: compute(self) | {"f1_macro": torch.tensor(next(scores))}
    )
    options = [f"callbacks.best_checkpoint.monitor={monitor}"]
    start(tmp_path / "first", *options, until=8)
    before = torch.load(tmp_path / "first" / "checkpoints" / "best.ckpt", weights_only=True)
    (tmp_path / "first").rename(tmp_path / "moved")
    start(tmp_path / "moved", *options, "resume=auto", until=EVALUATION)

    run = start(tmp_path / "moved", *options, "resume=auto")

    best = torch.load(tmp_path / "moved" / "checkpoints" / "best.ckpt", weights_only=True)
    assert (before["epoch"], best["epoch"]) == ((1, 1) if monitor != "null" else (1, 3))
    assert run.monitored == pytest.approx(0.9 if monitor != "null" else 0.3)
    assert not (tmp_path / "first").exists()


@pytest.fixture
def killed(start, tmp_path):
    """A run that was killed in its second epoch."""
    start(tmp_path / "run", until=6)
    return tmp_path / "run"


@pytest.mark.slow
class TestChangedKeys:
    @pytest.mark.parametrize(
        "option", ["optimizer.lr=0.5", "optimizer=sgd", "model.widths=[16,16]", "callbacks=[freeze]", "seed=1"]
    )
    def test_refused_by_name_and_the_run_stays_as_it_was(self, option, killed, start):
        before = {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()}
        key = {"optimizer=sgd": "optimizer._target_", "callbacks=[freeze]": "callbacks.freezing"}.get(
            option, option.partition("=")[0]
        )

        with pytest.raises(ConfigError, match=rf"{key}\S*=.* \(was .*the interrupted run in .* cannot change this"):
            start(killed, option, "resume=auto")

        assert {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()} == before

    def test_speed_and_logging_may_change_and_the_weights_do_not(self, killed, start, tmp_path):
        start(tmp_path / "whole", until=EVALUATION)

        options = ["data.cache=ram", "data.num_workers=1", "data.eval_batch_size=3", "trainer.max_time=01:00:00:00"]
        start(killed, *options, "~callbacks.throughput", "~callbacks.epoch_table", "resume=auto", until=EVALUATION)

        whole, resumed = (
            torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
            for folder in (tmp_path / "whole", killed)
        )
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)
        assert config(killed, "data.eval_batch_size") == 3

    def test_more_epochs_under_one_cycle(self, start, tmp_path):
        """The cycle has the length of the present training: its end is where that ends."""
        start(tmp_path / "run", "scheduler=one_cycle", "trainer.max_epochs=2", until=EVALUATION)

        start(tmp_path / "run", "scheduler=one_cycle", "trainer.max_epochs=5", "resume=auto", until=EVALUATION)

        table = pd.read_csv(tmp_path / "run" / "metrics.csv")
        assert table["epoch"].tolist() == [0, 1, 2, 3, 4]
        assert table["lr"][1] < table["lr"][2]
        assert table["lr"][4] < 1e-2 * table["lr"][2]
        record = json.loads((tmp_path / "run" / "run.json").read_text())
        assert record["changed"][0]["trainer.max_epochs"] == [2, 5]
        assert config(tmp_path / "run", "trainer.max_epochs") == 5

    def test_more_epochs_under_a_schedule_that_keeps_its_length(self, start, tmp_path):
        cosine = ["scheduler._target_=torch.optim.lr_scheduler.CosineAnnealingLR"]
        start(tmp_path / "run", *cosine, until=1)

        with pytest.raises(ConfigError, match=r"CosineAnnealingLR keeps the length that it started with"):
            start(tmp_path / "run", *cosine, "trainer.max_epochs=9", "resume=auto")

    def test_more_patience(self, start, tmp_path):
        options = CALLBACKS["early_stopping"]
        start(tmp_path / "run", *options, until=EVALUATION)
        stopped = len(pd.read_csv(tmp_path / "run" / "metrics.csv"))

        more = [*options, "callbacks.early_stopping.patience=9", "resume=auto"]
        start(tmp_path / "run", *more, until=EVALUATION)

        assert stopped < len(pd.read_csv(tmp_path / "run" / "metrics.csv")) == 4

    def test_another_number_of_processes(self, killed, start):
        record = json.loads((killed / "run.json").read_text())
        (killed / "run.json").write_text(json.dumps(record | {"processes": 2}))

        with pytest.raises(ConfigError, match="trained in 2 processes, and this would be 1"):
            start(killed, "resume=auto")

    def test_missing_best_weights(self, killed, start):
        (killed / "checkpoints" / "best.ckpt").unlink()

        with pytest.raises(RunDirError, match=r"best\.ckpt is missing, which .*last\.ckpt belongs to"):
            start(killed, "resume=auto")


@pytest.mark.slow
def test_a_finished_run_says_how_to_go_on(start, tmp_path):
    first = start(tmp_path, "trainer.max_epochs=1")
    assert start(tmp_path, "trainer.max_epochs=1", "resume=auto").results == first.results
    before = (tmp_path / ".hydra" / "config.yaml").read_text()

    with pytest.raises(ConfigError, match=r"trainer\.max_epochs=2 \(was 1\) would change; add overwrite=true"):
        start(tmp_path, "trainer.max_epochs=2", "resume=auto")
    assert (tmp_path / ".hydra" / "config.yaml").read_text() == before

    start(tmp_path, "trainer.max_epochs=2", "resume=auto", "overwrite=true")
    assert pd.read_csv(tmp_path / "metrics.csv")["epoch"].tolist() == [0, 1]
