"""A run that promises nothing is stopped, by one rank's word for all."""

import json
from types import SimpleNamespace

import optuna
import pytest
from sweep_commands import TINY

from brain_tumor.callbacks.optuna_trial import TRIAL
from brain_tumor.callbacks.pruning import Pruning
from brain_tumor.errors import ConfigError, PrunedError
from brain_tumor.train import train

SPACE = {"x": optuna.distributions.FloatDistribution(0, 1)}


@pytest.fixture
def study(tmp_path):
    """Five trials that reached 1.0 at each of four epochs, and one that runs."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=f"sqlite:///{tmp_path / 'study.db'}", study_name="s", direction="maximize")
    for _ in range(5):
        trial = study.ask(SPACE)
        for epoch in range(4):
            trial.report(1.0, epoch)
        study.tell(trial, 1.0)
    study.ask(SPACE)
    return study


@pytest.fixture
def named(study, tmp_path, monkeypatch):
    monkeypatch.setenv(TRIAL, json.dumps([f"sqlite:///{tmp_path / 'study.db'}", "s", 5]))


def test_a_hopeless_run_is_stopped_after_its_warmup(named, study, flat_folder, tmp_path):
    options = [*TINY[:-1], f"data.root={flat_folder}", "callbacks=[pruning]", "callbacks.pruning.warmup_epochs=2"]
    with pytest.raises(PrunedError, match="after epoch 3"):
        train([*options, "trainer.max_epochs=4"], tmp_path / "run")

    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "pruned"
    assert sorted(study.trials[5].intermediate_values) == [0, 1, 2]


@pytest.mark.slow
def test_outside_of_a_search_nothing_happens(flat_folder, tmp_path):
    options = [*TINY[:-1], f"data.root={flat_folder}", "callbacks=[pruning]", "trainer.max_epochs=1"]
    train([*options, "callbacks.pruning.warmup_epochs=0"], tmp_path / "run")

    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


def trainer_of(rank, says, heard):
    """A trainer of one rank of several, whose rank 0 says what all do."""

    def broadcast(own):
        heard.append(own)
        return says

    return SimpleNamespace(
        is_global_zero=rank == 0,
        sanity_checking=False,
        current_epoch=3,
        callback_metrics={"val/f1_macro": 0.1},
        strategy=SimpleNamespace(broadcast=broadcast),
    )


def test_only_rank_0_talks_to_the_study(monkeypatch):
    monkeypatch.setenv(TRIAL, json.dumps(["sqlite:////no/such/folder/study.db", "s", 0]))  # whoever asks there fails
    heard = []
    for says in (False, True):
        pruning, trainer = Pruning("val/f1_macro"), trainer_of(1, says, heard)
        pruning.setup(trainer, None, "fit")
        if says:
            with pytest.raises(PrunedError):
                pruning.on_validation_end(trainer, None)
        else:
            pruning.on_validation_end(trainer, None)
    assert heard == [False, False]


def test_rank_0_tells_the_others(named):
    heard = []
    pruning, trainer = Pruning("val/f1_macro", warmup_epochs=0), trainer_of(0, True, heard)
    pruning.setup(trainer, None, "fit")
    with pytest.raises(PrunedError):
        pruning.on_validation_end(trainer, None)
    assert heard == [True]


def test_a_storage_out_of_reach_ends_no_training(named, monkeypatch, caplog):
    heard = []
    pruning, trainer = Pruning("val/f1_macro", warmup_epochs=0), trainer_of(0, False, heard)
    pruning.setup(trainer, None, "fit")

    def gone(*args):
        raise optuna.exceptions.StorageInternalError("database is locked")

    monkeypatch.setattr(optuna.trial.Trial, "report", gone)
    pruning.on_validation_end(trainer, None)
    assert heard == [False]
    assert "out of reach" in caplog.text


def test_settings_are_checked():
    with pytest.raises(ConfigError, match=r"callbacks\.pruning\.warmup_epochs=-1"):
        Pruning("val/loss", warmup_epochs=-1)
