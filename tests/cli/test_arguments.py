import json
import os
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from brain_tumor.cli.arguments import expand, flags_first, with_places
from brain_tumor.errors import ConfigError


def runs_of(arguments):
    """What Hydra reads."""
    (override,) = OverridesParser.create().parse_overrides([with_places(arguments, "runs")[-1]])
    return [getattr(run, "text", run) for run in override.value()] if override.key_or_group == "runs" else None


@pytest.mark.parametrize(
    "names",
    [
        ["runs/a", "runs/b"],
        ["one run"],
        ["it's here", 'say "b"', "a,b", "[c]"],
        ["back\\slash", "end\\"],
    ],
)
def test_runs_keep_their_names(names):
    assert runs_of(names) == names


def test_flags_and_overrides_stay():
    assert with_places(["a", "--cfg", "job", "metric=auroc", "+x=1", "~y", "b", "-m"], "runs") == [
        "--cfg", "job", "metric=auroc", "+x=1", "~y", "-m", 'runs=["a","b"]',
    ]  # fmt: skip


def test_nothing_to_gather():
    assert with_places(["runs=[a,b]", "--help"], "runs") == ["runs=[a,b]", "--help"]


def test_a_folder_that_is_named_like_an_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model=small_cnn").mkdir()

    assert with_places(["model=small_cnn", "model=vit"], "runs") == ["model=vit", 'runs=["model=small_cnn"]']


def test_flags_may_stand_anywhere():
    assert flags_first(["a=1", "--config-dir", "my=conf", "b=-1", "-m", "~c"]) == [
        "--config-dir", "my=conf", "-m", "a=1", "b=-1", "~c"
    ]  # fmt: skip


class TestExpand:
    def make(self, folder, status="failed", overrides=("data=phantom", "seed=3", "overwrite=true", "resume=auto")):
        (folder / ".hydra").mkdir(parents=True)
        (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {text}\n" for text in overrides))
        (folder / "run.json").write_text(json.dumps({"status": status, "pid": os.getpid(), "host": "elsewhere"}))
        return folder

    def test_a_run_is_resumed_with_its_own_command_line(self, tmp_path):
        run = self.make(tmp_path / "a run")

        assert expand(["seed=4", f"resume={run}"]) == (
            ["data=phantom", "seed=3", "seed=4", f"hydra.run.dir='{run}'", "resume=auto"], None
        )  # fmt: skip

    def test_a_job_of_a_search_is_resumed_alone(self, tmp_path):
        job = self.make(tmp_path / "0", overrides=("hparams_search=optuna", "optimizer.lr=0.002"))

        assert expand([f"resume={job}"])[0] == [
            "hparams_search=optuna", "optimizer.lr=0.002", f"hydra.run.dir='{job}'", "hydra.mode=RUN", "resume=auto"
        ]  # fmt: skip

    def test_the_users_config_dir_and_the_folder_of_the_start_belong_to_it(self, tmp_path):
        run = self.make(tmp_path / "run")
        (tmp_path / "conf").mkdir()
        config_dir = str(tmp_path / "conf")
        sources = [{"path": "ours", "provider": "main"}, {"path": config_dir, "provider": "command-line"}]
        OmegaConf.save(
            {"hydra": {"runtime": {"cwd": str(tmp_path), "config_sources": sources}}}, run / ".hydra" / "hydra.yaml"
        )

        assert expand([f"resume={run}"]) == (
            ["--config-dir", config_dir, "data=phantom", "seed=3", f"hydra.run.dir='{run}'", "resume=auto"], tmp_path
        )  # fmt: skip
        assert expand(["--config-dir", "other", f"resume={run}"])[0][:4] == [
            "data=phantom", "seed=3", "--config-dir", str(Path("other").absolute())
        ]  # fmt: skip
        (tmp_path / "conf").rmdir()
        with pytest.raises(ConfigError, match=r"--config-dir .*conf, which is missing; say where that folder is now"):
            expand([f"resume={run}"])

    def test_paths_that_are_given_now_start_in_the_present_folder(self, tmp_path, monkeypatch):
        run = self.make(tmp_path / "run")
        (tmp_path / "here" / "scans").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / "here")

        given, _ = expand(["resume=../run", "data.root=scans", "paths.cache_dir=absent", "seed=4"])

        assert given[2:] == [
            f"data.root={tmp_path / 'here' / 'scans'}", "paths.cache_dir=absent", "seed=4",
            f"hydra.run.dir='{run}'", "resume=auto",
        ]  # fmt: skip

    def test_a_sweep_is_resumed_as_a_whole(self, tmp_path):
        (tmp_path / "sweep.json").write_text("{}")
        overrides = {
            "task": ["model=mine,other", "seed=0,1"],
            "hydra": ["hydra.sweep.dir=x", "hydra.mode=MULTIRUN", "hydra.launcher.n_jobs=2"],
        }
        hydra = {"overrides": overrides, "runtime": {"cwd": str(tmp_path / "gone"), "config_sources": []}}
        OmegaConf.save({"hydra": hydra}, tmp_path / "multirun.yaml")

        assert expand([f"resume={tmp_path}"]) == (
            [
                "--multirun",
                "model=mine,other",
                "seed=0,1",
                "hydra.launcher.n_jobs=2",
                f"hydra.sweep.dir='{tmp_path}'",
                "resume=auto",
            ],
            None,
        )

    def test_latest_is_the_newest_unfinished(self, tmp_path):
        for age, (name, status) in enumerate({"old": "failed", "sweep/0": "preempted", "new": "finished"}.items()):
            os.utime(self.make(tmp_path / name, status) / "run.json", (age, age))

        assert f"hydra.run.dir='{tmp_path / 'sweep/0'}'" in expand(["resume=latest"], tmp_path)[0]

    def test_other_arguments_are_kept(self):
        assert expand(["seed=1", "resume=auto"]) == (["seed=1", "resume=auto"], None)

    @pytest.mark.parametrize("word", ["latest", "nowhere"])
    def test_nothing_to_go_on_with(self, word, tmp_path):
        with pytest.raises(ConfigError, match=r"unfinished run|no run to continue"):
            expand([f"resume={word}"], Path(tmp_path))
