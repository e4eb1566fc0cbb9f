"""The wandb logger alone: arguments, refusals, names, resuming, ranks."""

import json
import logging

import pytest
import torch
import wandb
from lightning.pytorch.utilities import rank_zero_only
from wandb_files import offline_log, records_of, summary_of

from brain_tumor.config.compose import compose
from brain_tumor.errors import ConfigError
from brain_tumor.models.classifier import ValidationScores
from brain_tumor.tracking.log_run import log_start
from brain_tumor.tracking.loggers import open_loggers, resumable_wandb_id, wandb_id
from brain_tumor.tracking.wandb.logger import METRIC_DIRECTIONS, start_run
from brain_tumor.tracking.wandb.naming import default_names

OFFLINE = ["logger=wandb", "logger.wandb.offline=true"]


class TestArguments:
    @pytest.mark.parametrize(
        ("override", "sentence"),
        [
            (
                "logger.wandb.mode=dryrun",
                "Invalid logger.wandb.mode=dryrun: expected online, offline, disabled",
            ),
            ("logger.wandb.mode=online", "Invalid .*with offline=true"),
            ("+logger.wandb.colour=red", "takes no colour"),
            ("+logger.wandb.settings.colour=red", "logger.wandb cannot be built.*colour"),
        ],
    )
    def test_mistakes(self, override, sentence, tmp_path):
        with pytest.raises(ConfigError, match=sentence), open_loggers(compose([*OFFLINE, override], tmp_path)):
            pass

    def test_all_of_them_are_passed_to_wandb(self, tmp_path):
        given = {"project": "p", "name": "n", "group": "g", "job_type": "j", "notes": "why", "entity": "lab"}
        overrides = [f"logger.wandb.{key}={value}" for key, value in given.items()]
        with open_loggers(compose([*OFFLINE, *overrides], tmp_path)):
            pass

        [first, *_] = records_of(offline_log(tmp_path), "run")
        keys = {"name": "display_name", "group": "run_group"}
        assert {key: first[keys.get(key, key)] for key in given} == given

    def test_variables_of_wandb_count_where_the_configuration_says_nothing(self, tmp_path, monkeypatch):
        for name in ("PROJECT", "NAME", "RUN_GROUP", "JOB_TYPE", "NOTES"):
            monkeypatch.setenv(f"WANDB_{name}", name.lower())
        monkeypatch.setenv("WANDB_TAGS", "one,two")
        with open_loggers(compose([*OFFLINE, "logger.wandb.name=mine", "logger.wandb.tags=baseline"], tmp_path)):
            pass

        [first, *_] = records_of(offline_log(tmp_path), "run")
        found = {key: first[key] for key in ("project", "display_name", "run_group", "job_type", "notes")}
        assert found == {
            "project": "project",
            "display_name": "mine",
            "run_group": "run_group",
            "job_type": "job_type",
            "notes": "notes",
        }
        assert first["tags"][:3] == ["baseline", "one", "two"]

    def test_disabled_writes_nothing(self, tmp_path):
        with open_loggers(compose(["logger=wandb", "logger.wandb.mode=disabled"], tmp_path)) as loggers:
            loggers[0].log_metrics({"val/loss": 1.0}, step=0)
            assert wandb_id(loggers) is None

        assert not (tmp_path / "wandb").exists()


class TestStart:
    """wandb raises the same class of error if a server refuses and if none responds."""

    @staticmethod
    def fail_with(text, monkeypatch):
        start = wandb.init

        def init(**arguments):
            if arguments.get("mode") is None:
                raise wandb.errors.CommError(text)
            return start(**arguments | {"mode": "disabled"})

        monkeypatch.setattr(wandb, "init", init)

    @pytest.mark.parametrize("text", ["404 Not Found", "HTTP 403 (/graphql)", "permission denied"])
    def test_refused(self, text, monkeypatch):
        self.fail_with(text, monkeypatch)
        with pytest.raises(ConfigError, match="cannot start"):
            start_run({})

    @pytest.mark.parametrize("text", ["dial tcp 127.0.0.1:40312: connection refused", "Timed out: HTTP 403"])
    def test_unreachable(self, text, monkeypatch, caplog):
        self.fail_with(text, monkeypatch)
        with caplog.at_level(logging.WARNING):
            run = start_run({})
        run.finish()  # else it stays wandb's run of this process, for the tests that follow
        assert run.disabled
        assert "wandb cannot be reached" in caplog.text


class TestNames:
    @pytest.mark.parametrize(
        ("overrides", "name"),
        [
            (["data=folder", "data.root=/a/b/my.scans", "model=resnet18"], "my.scans_resnet18"),
            (["data=manifest", "data.manifest=x/y.csv"], "y_small_cnn"),
            (["data=nickparvar", "data.root=/n"], "nickparvar_small_cnn"),
            (["model=timm", "model.name=resnet10t"], "phantom_resnet10t"),
        ],
    )
    def test_data_and_model(self, overrides, name, tmp_path):
        names = default_names(compose(overrides, tmp_path))

        assert names == {"name": name, "group": None, "tags": name.split("_", 1)}

    def test_long_tags_are_cut(self, tmp_path):
        cfg = compose([*OFFLINE, "data=folder", f"data.root=/{'x' * 100}"], tmp_path)
        with open_loggers(cfg):
            pass

        assert summary_of(offline_log(tmp_path))["tags"] == ["x" * 64, "small_cnn"]

    def test_every_metric_that_can_be_monitored_has_a_direction(self):
        scores = ValidationScores(2)
        scores.update(torch.arange(2), torch.arange(2), torch.eye(2))

        assert {*(f"val/{name}" for name in scores.compute()), "train/loss"} == set(METRIC_DIRECTIONS)


class TestResuming:
    def test_a_resumed_training_continues_its_run(self, tmp_path):
        ids = []
        for number in range(2):
            resume_id = resumable_wandb_id(tmp_path)
            with open_loggers(compose(OFFLINE, tmp_path / f"part{number}"), resume_id) as loggers:
                loggers[0].log_metrics({"val/f1_macro": 0.5 + number / 10, "epoch": number}, step=number)
                ids.append(wandb_id(loggers))
            (tmp_path / "run.json").write_text(json.dumps({"wandb_id": ids[-1]}))

        logs = [offline_log(tmp_path / f"part{number}") for number in range(2)]
        assert ids[0] == ids[1] == summary_of(logs[1])["run_id"]
        assert [record.get("resume") for record in (records_of(log, "run")[0] for log in logs)] == [None, True]

    def test_in_one_directory_both_parts_are_kept(self, tmp_path):
        with open_loggers(compose(OFFLINE, tmp_path)) as loggers:
            first = wandb_id(loggers)
        with open_loggers(compose(OFFLINE, tmp_path), first) as loggers:
            assert wandb_id(loggers) == first

        assert {path.name for path in tmp_path.glob("wandb/offline-run-*/*.wandb")} == {f"run-{first}.wandb"}

    @pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"wandb_id": null}', '{"wandb_id": 3}'])
    def test_no_run_to_resume(self, content, tmp_path):
        if content is not None:
            (tmp_path / "run.json").write_text(content)

        assert resumable_wandb_id(tmp_path) is None


def test_other_ranks_log_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    facts = {"data": {"split": "grouped", "leakage": {}}, "git_sha": "x", "versions": {}, "hardware": {}}
    cfg = compose(OFFLINE, tmp_path)
    with open_loggers(cfg) as loggers:
        loggers[0].experiment.log({"a": 1})
        log_start(loggers, facts, None, cfg)
        assert wandb_id(loggers) is None

    assert not (tmp_path / "wandb").exists()


def test_errors_are_logged_once(tmp_path, caplog):
    with open_loggers(compose(OFFLINE, tmp_path)) as loggers, caplog.at_level(logging.WARNING):
        for _ in range(3):
            with loggers[0].errors_as_warning():
                raise RuntimeError("no wandb today")

    assert caplog.text.count("no wandb today") == 1
    assert summary_of(offline_log(tmp_path))["exit_code"] == 0


def test_a_run_of_other_code_is_not_changed(tmp_path):
    import wandb

    (tmp_path / "other").mkdir()
    with wandb.init(mode="offline", dir=tmp_path / "other") as other:
        with open_loggers(compose(OFFLINE, tmp_path)) as loggers:
            assert wandb_id(loggers) != other.id
        assert wandb.run is other
        other.log({"still": 1})
