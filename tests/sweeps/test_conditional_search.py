"""Searches whose keys depend on others: conditions, trials that cannot be composed, one job of a search."""

import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna import load_study
from sweep_commands import finish, read_table, start, wait_for

from brain_tumor.errors import ConfigError
from brain_tumor.run_dir.record import read_record
from brain_tumor.sweeps.optuna_study import OptunaStudy
from brain_tumor.sweeps.optuna_sweeper import apply_conditions, example_trials, read_space


def space_of(*overrides):
    return read_space(OverridesParser.create().parse_overrides(list(overrides)))


def conditional(*overrides, **conditions):
    """Return the searched keys, the conditions and the overrides of example trials; in conditions, ``__`` is a dot."""
    space, fixed = space_of(*overrides)
    kept, found = apply_conditions({key.replace("__", "."): text for key, text in conditions.items()}, space, fixed)
    return list(kept), found, example_trials(kept, found)


class TestConditions:
    SEARCH = ("optimizer=choice(adamw,sgd)", "optimizer.momentum=interval(0.8,0.9)", "lr=interval(1,2)")

    def test_a_key_belongs_to_one_choice_of_another(self):
        keys, found, examples = conditional(*self.SEARCH, optimizer__momentum="optimizer=sgd,lion")

        assert keys == ["optimizer", "optimizer.momentum", "lr"]
        assert found == {"optimizer.momentum": ("optimizer", ("sgd", "lion"))}
        assert examples == [["optimizer=adamw", "lr=1.0"], ["optimizer=sgd", "optimizer.momentum=0.8", "lr=1.0"]]

    def test_where_the_command_line_fixes_the_choice(self):
        momentum = {"optimizer__momentum": "optimizer=sgd"}
        assert conditional(*self.SEARCH, "optimizer=adamw", **momentum)[:2] == (["lr"], {})
        assert conditional(*self.SEARCH, "optimizer=sgd", **momentum)[:2] == (["optimizer.momentum", "lr"], {})
        assert conditional(*self.SEARCH, "optimizer.momentum=0.9", **momentum)[:2] == (["optimizer", "lr"], {})

    @pytest.mark.parametrize("condition", ["sgd", "model=sgd", "optimizer.momentum=0.8"])
    def test_a_condition_that_no_trial_could_meet(self, condition):
        with pytest.raises(ConfigError, match=r"conditions: optimizer\.momentum: .*: expected KEY=VALUE of a key that"):
            conditional(*self.SEARCH, optimizer__momentum=condition)

    def test_a_study_searches_a_key_where_its_condition_holds(self, tmp_path):
        space, fixed = space_of(*self.SEARCH)
        _, conditions = apply_conditions({"optimizer.momentum": "optimizer=sgd"}, space, fixed)
        study = OptunaStudy(str(tmp_path / "s.db"), "s", mode="max", seed=0, startup_trials=3, parallel=False)
        proposed = []
        for _ in range(12):
            number, overrides, _ = study.ask(space, conditions)
            proposed.append(dict(text.split("=") for text in overrides))
            study.tell(number, {"status": "finished", "training": {"best": 0.5}})

        assert {each["optimizer"] for each in proposed} == {"adamw", "sgd"}
        for each in proposed:
            assert ("optimizer.momentum" in each) == (each["optimizer"] == "sgd")
            assert 0.8 <= float(each.get("optimizer.momentum", 0.8)) <= 0.9


SEARCH = [
    "hparams_search=optuna", "~callbacks.pruning", "trainer.max_epochs=1", "augmentation=none", "optimizer.lr=1e-3",
]  # fmt: skip


@pytest.mark.long
def test_trials_that_cannot_be_composed_are_counted_and_the_search_goes_on(flat_folder, tmp_path):
    """AdamW has no momentum; the search space names it without a condition."""
    space = ["optimizer=choice(adamw,sgd)", "optimizer.momentum=interval(0.8,0.9)", "hydra.sweeper.n_trials=5"]
    code, out = finish(start(flat_folder, tmp_path, *SEARCH, "optimizer.weight_decay=0.05", *space))

    table = read_table(tmp_path)
    assert (code, len(table)) == (1, 5), out
    assert set(table["status"]) == {"finished", "failed"}
    assert (table["status"] == "failed").tolist() == (table["optimizer"] == "adamw").tolist()
    assert table["reason"][table["status"] == "failed"].str.startswith("There is no key optimizer.momentum.").all()
    study = load_study(study_name="brain-tumor", storage=f"sqlite:///{tmp_path / 'study.db'}")
    states = {"finished": "COMPLETE", "failed": "FAIL"}
    assert [trial.state.name for trial in study.trials] == [states[status] for status in table["status"]]
    assert "Traceback" not in out


@pytest.mark.slow
def test_a_search_of_which_no_trial_can_be_composed_is_refused(flat_folder, tmp_path):
    code, out = finish(start(flat_folder, tmp_path, *SEARCH, "optimizer.momentm=interval(0.8,0.9)"))

    assert code == 2, out
    assert out.splitlines()[-1].startswith("brain-tumor train: There is no key optimizer.momentm.")


@pytest.mark.long
def test_a_job_of_a_search_is_resumed_alone(flat_folder, tmp_path):
    """The first job is stopped; resume=SWEEP/0 finishes it where it lies and starts nothing else."""
    options = ["hparams_search=optuna_conditional", "hydra.sweeper.n_trials=2", "trainer.max_epochs=300"]
    process = start(flat_folder, tmp_path / "sweep", *options)
    wait_for(tmp_path / "sweep" / "0" / "checkpoints" / "last.ckpt", process)
    os.kill(process.pid, signal.SIGINT)
    code, out = finish(process)
    assert (code, read_table(tmp_path / "sweep")["status"].tolist()) == (130, ["preempted"]), out
    before = sorted(path.name for path in (tmp_path / "sweep").iterdir())
    begun = pd.read_csv(tmp_path / "sweep" / "0" / "metrics.csv")

    command = [sys.executable, "-m", "brain_tumor", "train", f"resume={tmp_path / 'sweep' / '0'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert read_record(tmp_path / "sweep" / "0")["status"] == "finished"
    table = pd.read_csv(tmp_path / "sweep" / "0" / "metrics.csv")
    assert table["epoch"].tolist() == list(range(300))
    assert table["seconds"][: len(begun)].tolist() == begun["seconds"].tolist()
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]
