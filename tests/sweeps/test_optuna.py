"""Searches with Optuna: the search space, the proposals, and continuing after the search was killed."""

import json
import os
import signal
import sys

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna import create_study, load_study
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sweep_commands import finish, read_table, start, wait_for, writing_processes

from brain_tumor.__main__ import main
from brain_tumor.errors import ConfigError
from brain_tumor.sweeps.optuna_study import OptunaStudy
from brain_tumor.sweeps.optuna_sweeper import read_space

SPACE = {"x": FloatDistribution(0, 1), "c": CategoricalDistribution(["a", "b"])}


def space_of(*overrides):
    return read_space(OverridesParser.create().parse_overrides(list(overrides)))


def open_study(path, **changes):
    return OptunaStudy(str(path), "s", **{"mode": "max", "seed": 0, "startup_trials": 3, "parallel": False, **changes})


def finished(score):
    return {"status": "finished", "training": {"best": score}}


class TestSpace:
    @pytest.mark.parametrize(
        ("override", "distribution"),
        [
            ("a=interval(0,1)", FloatDistribution(0, 1)),
            ("a=tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
            ("a=int(interval(1,9))", IntDistribution(1, 9)),
            ("a=range(2,9,3)", IntDistribution(2, 8, step=3)),
            ("a=range(1,4)", IntDistribution(1, 3)),
            ("a=tag(log,range(1,65))", IntDistribution(1, 64, log=True)),
            ("a=range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
            ("a=choice(cnn,[8,16],0.5)", CategoricalDistribution(["cnn", "[8,16]", "0.5"])),
            ("a=1,2", CategoricalDistribution(["1", "2"])),
        ],
    )
    def test_hydras_syntax(self, override, distribution):
        assert space_of(override) == ({"a": distribution}, [])

    def test_the_command_line_wins(self):
        space, fixed = space_of("lr=interval(0,1)", "+n=1,2", "data.root=x", "lr=0.1")
        assert list(space) == ["+n"]
        assert fixed == ["lr=0.1", "data.root=x"]

    @pytest.mark.parametrize("override", ["seed=0,1,2", "split.fold=range(5)"])
    def test_a_seed_is_not_searched(self, override):
        with pytest.raises(ConfigError, match="luckiest"):
            space_of(override, "lr=1,2")

    @pytest.mark.parametrize(
        "value", ["tag(loud,interval(0,1))", "tag(log,interval(0,1))", "interval(3,1)", "range(5,1)"]
    )
    def test_an_invalid_distribution_is_one_sentence(self, value):
        with pytest.raises(ConfigError, match="cannot be searched"):
            space_of(f"a={value}")

    def test_nothing_to_search(self):
        with pytest.raises(ConfigError, match="no key to vary"):
            space_of("a=1")


class TestStudy:
    def run_trials(self, study, count):
        """Run trials with the value of x as their score; return their overrides."""
        proposed = []
        for _ in range(count):
            number, overrides, _ = study.ask(SPACE)
            proposed.append(overrides)
            study.tell(number, finished(float(overrides[0].partition("=")[2])))
        return proposed

    def test_an_interruption_changes_no_proposal(self, tmp_path):
        whole = self.run_trials(open_study(tmp_path / "whole.db"), 8)
        parts = self.run_trials(open_study(tmp_path / "parts.db"), 5)
        parts += self.run_trials(open_study(tmp_path / "parts.db"), 3)
        assert parts == whole
        assert len({str(overrides) for overrides in whole}) == 8

    def test_another_seed_is_another_search(self, tmp_path):
        first = self.run_trials(open_study(tmp_path / "a.db"), 2)
        assert first != self.run_trials(open_study(tmp_path / "b.db", seed=1), 2)

    def test_it_learns_from_the_scores(self, tmp_path):
        xs = [float(x.partition("=")[2]) for x, _ in self.run_trials(open_study(tmp_path / "s.db"), 40)]
        assert sum(xs[-15:]) / 15 > 0.65

    def test_lost_trials_do_not_count_and_are_tried_again(self, tmp_path):
        study = open_study(tmp_path / "s.db")
        for record in (finished(0.5), {"status": "pruned"}, {"status": "failed", "reason": "it broke"}):
            study.tell(study.ask(SPACE).number, record)
        lost = study.ask(SPACE)
        assert study.unfinished() == [lost.number]
        study.retry(lost.number)
        assert study.count_completed() == 3
        assert study.ask(SPACE).overrides == lost.overrides
        stored = load_study(study_name="s", storage=f"sqlite:///{tmp_path / 's.db'}")
        assert [trial.state.name for trial in stored.trials] == ["COMPLETE", "PRUNED", "FAIL", "FAIL", "RUNNING"]
        assert stored.trials[2].user_attrs["reason"] == "it broke"

    def test_mode_is_the_direction(self, tmp_path):
        open_study(tmp_path / "s.db", mode="min")
        with pytest.raises(ConfigError, match=r"started to minimize .*monitor\.mode=max asks to maximize"):
            open_study(tmp_path / "s.db")

    def test_another_search_space_is_refused(self, tmp_path):
        study = open_study(tmp_path / "s.db")
        study.tell(study.ask(SPACE).number, finished(0.5))
        with pytest.raises(ConfigError, match="different search space"):
            open_study(tmp_path / "s.db").ask({**SPACE, "c": CategoricalDistribution(["a", "z"])})

    def test_a_storage_that_cannot_be_opened(self, tmp_path):
        (tmp_path / "s.db").write_text("no database")
        with pytest.raises(ConfigError, match="cannot be opened"):
            open_study(tmp_path / "s.db")

    def test_the_job_gets_storage_study_and_number(self, tmp_path):
        folder = tmp_path / "it's here"
        folder.mkdir()
        number, _, override = open_study(folder / "s.db").ask(SPACE)
        (parsed,) = OverridesParser.create().parse_overrides([override])
        assert parsed.key_or_group == "hydra.job.env_set.BRAIN_TUMOR_TRIAL"
        assert json.loads(parsed.value()) == [f"sqlite:///{folder / 's.db'}", "s", number]


def test_without_optuna(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "train", "hparams_search=optuna", f"hydra.sweep.dir={tmp_path}"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "pip install 'brain-tumor[sweep]'" in capsys.readouterr().err


@pytest.mark.long
def test_a_killed_search_is_continued(flat_folder, tmp_path):
    """The sweep is killed in its third trial; started again it runs the remaining ones, the lost settings first."""
    options = [
        "hparams_search=optuna", "hydra.sweeper.n_trials=4", "trainer.max_epochs=12", "~callbacks.pruning",
        "optimizer.lr=choice(-1,1e-3,2e-3)", "hydra.sweeper.seed=1",
    ]  # fmt: skip
    process = start(flat_folder, tmp_path, *options)
    wait_for(tmp_path / "2" / "metrics.csv", process)
    for pid in (process.pid, *writing_processes(tmp_path / "2" / "train.log")):
        os.kill(pid, signal.SIGKILL)
    finish(process)
    study = load_study(study_name="brain-tumor", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert [trial.state.name for trial in study.trials[2:]] == ["RUNNING"]

    _, out = finish(start(flat_folder, tmp_path, *options))

    study = load_study(study_name="brain-tumor", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert len(study.trials) == 5, out
    assert study.trials[3].params == study.trials[2].params
    table = read_table(tmp_path)
    states = {"finished": "COMPLETE", "failed": "FAIL"}
    assert [trial.state.name for trial in study.trials] == [states[status] for status in table["status"]]
    for trial in study.trials:
        assert table["augmentation"][trial.number] == trial.params["augmentation"]
        if trial.params["optimizer.lr"] == "-1":
            assert table["reason"][trial.number].startswith("Invalid optimizer.lr=-1")
        elif trial.number != 2:
            assert trial.value == pytest.approx(float(table["monitored"][trial.number]))
    assert "tried again" in table["reason"][2]

    _, out = finish(start(flat_folder, tmp_path, *options))
    assert len(load_study(study_name="brain-tumor", storage=f"sqlite:///{tmp_path / 'study.db'}").trials) == 5


@pytest.mark.long
def test_unpromising_trials_are_pruned_and_do_not_count_as_failures(flat_folder, tmp_path):
    """Two trials learn; the third, with learning rate 0, is stopped at the first epoch in which pruning is allowed."""
    options = [
        "hparams_search=optuna", "trainer.max_epochs=12", "callbacks.pruning.startup_trials=1", "optimizer.lr=5e-3",
        "callbacks.pruning.warmup_epochs=8", "optimizer.weight_decay=0.05", "augmentation=none", "scheduler=constant",
    ]  # fmt: skip
    good = [*options, "optimizer.betas=choice([0.9,0.999])", "hydra.sweeper.n_trials=2"]
    code, out = finish(start(flat_folder, tmp_path / "good", *good, f"hydra.sweeper.storage={tmp_path / 'study.db'}"))
    assert code == 0, out
    frozen = [*options, "optimizer.betas=choice([0.9,0.999])", "hydra.sweeper.n_trials=3", "optimizer.lr=0"]
    code, out = finish(start(flat_folder, tmp_path / "bad", *frozen, f"hydra.sweeper.storage={tmp_path / 'study.db'}"))

    assert code == 0, out
    table = read_table(tmp_path / "bad")
    assert table["status"].tolist() == ["pruned"]
    assert table["reason"][2].startswith("stopped after epoch 9")
    assert table["monitored"].tolist() == [""]
    study = load_study(study_name="brain-tumor", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED"]


def test_a_database_address_is_accepted(tmp_path):
    address = f"sqlite:///{tmp_path / 'shared.db'}"
    create_study(storage=address, study_name="s", direction="maximize")
    assert len(open_study(address)) == 0
