"""Old names are understood for one release, and each is logged once with the new name."""

import logging

import pytest
from omegaconf import OmegaConf

from brain_tumor.cli.arguments import expand
from brain_tumor.config import renamed
from brain_tumor.config.compose import compose
from brain_tumor.config.renamed import KEYS, OPTIONS, with_new_names

VALUES = {
    "gate.turned_away": "0.01", "model.lr": "0.002", "snapshot_minutes": "5",
    "side": "test", "foreign": "photos", "pictures": "false",
    "part": "val", "fail_on_gate": "false",
    "gates.f1_macro": "0.05", "gates.sensitivity": "0.05", "gates.ece": "null", "gates.leakage": "false",
}  # fmt: skip
NEEDED = {"train": [], "evaluate": [], "compare": ["runs=[a,b]"]}
RENAMED = [(verb, old, new) for verb, keys in KEYS.items() for old, new in keys.items()]


@pytest.fixture(autouse=True)
def _first_time(monkeypatch):
    monkeypatch.setattr(renamed, "_warned", set())


@pytest.mark.parametrize(("verb", "old", "new"), RENAMED, ids=[f"{verb}-{old}" for verb, old, _ in RENAMED])
def test_an_old_key_sets_the_new_one_and_says_so(verb, old, new, tmp_path, caplog):
    cfg = compose([*NEEDED[verb], f"{old}={VALUES[old]}"], tmp_path, verb)

    assert OmegaConf.select(cfg, new) == OmegaConf.create(f"x: {VALUES[old]}").x
    assert [message for message in caplog.messages if f"{old}= is now called {new}=" in message]


@pytest.mark.parametrize(
    ("group", "old", "new"), [(group, old, new) for group, options in OPTIONS.items() for old, new in options.items()]
)
def test_an_old_option_chooses_the_new_one_and_says_so(group, old, new, caplog):
    assert with_new_names([f"{group}={old}"], "train") == [f"{group}={new}"]
    assert f"{group}={old} is now called {group}={new}" in caplog.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model=cnn,seed_cnn", "model=small_cnn,reference_cnn"),
        ("model=choice(cnn,resnet18)", "model=choice(small_cnn,resnet18)"),
        ("experiment=glob(*),seed_task", "experiment=glob(*),reference_task"),
        ("model.lr=1e-3,1e-2", "optimizer.lr=1e-3,1e-2"),
        ("model.lr=tag(log,interval(1e-4,1e-2))", "optimizer.lr=tag(log,interval(1e-4,1e-2))"),
        ("++model.lr=1e-3", "++optimizer.lr=1e-3"),
        ("model.weights=cnn", "model.weights=cnn"),
        ("data.root=runs/cnn", "data.root=runs/cnn"),
        ("model=my_cnn", "model=my_cnn"),
        ("model._target_=mylab.cnn.Net", "model._target_=mylab.cnn.Net"),
        ("--multirun", "--multirun"),
        ("-m", "-m"),
    ],
)
def test_sweeps_flags_and_names_that_only_look_alike(old, new):
    assert with_new_names([old], "train") == [new]


def test_other_verbs_keep_their_own_names():
    assert with_new_names(["model=cnn", "side=test", "snapshot_minutes=5"], "predict") == [
        "model=cnn", "side=test", "snapshot_minutes=5",
    ]  # fmt: skip


@pytest.mark.parametrize(("content", "key"), [("run.json", "run"), ("checkpoints/best.ckpt", "run"), (None, "bundle")])
def test_evaluate_told_a_run_from_a_bundle(content, key, tmp_path, caplog):
    if content:
        (tmp_path / content).parent.mkdir(exist_ok=True)
        (tmp_path / content).write_text("{}")

    assert with_new_names([f"model={tmp_path}"], "evaluate") == [f"{key}={tmp_path}"]
    assert f"model= is now called {key}=" in caplog.text


def test_each_old_name_is_logged_once(caplog):
    for _ in range(3):
        with_new_names(["snapshot_minutes=5", "model=cnn"], "train")

    assert len(caplog.messages) == 2
    assert caplog.records[0].levelno == logging.WARNING


def test_a_run_with_old_names_is_resumed(tmp_path):
    saved = tmp_path / ".hydra" / "overrides.yaml"
    saved.parent.mkdir()
    saved.write_text("- model=seed_cnn\n- model.lr=0.002\n- snapshot_minutes=5\n- gate.turned_away=0.01\n")
    overrides = [text for text in expand([f"resume={tmp_path}"])[0] if not text.startswith("hydra.")]

    cfg = compose(overrides, tmp_path)

    assert cfg.model._target_.endswith("ReferenceCNN")
    assert (cfg.optimizer.lr, cfg.callbacks.resume_checkpoint.minutes, cfg.ood.reject_share) == (0.002, 5, 0.01)
    assert cfg.resume == "auto"


class TestYaml:
    """A user's own files, such as conf/local/default.yaml, may hold old names, too."""

    @pytest.fixture
    def local(self, tmp_path):
        def write(text: str) -> list[str]:
            (tmp_path / "conf" / "local").mkdir(parents=True, exist_ok=True)
            (tmp_path / "conf" / "local" / "default.yaml").write_text(f"# @package _global_\n{text}")
            return [f"hydra.searchpath=[file://{tmp_path / 'conf'}]"]

        return write

    def test_values_move_to_the_new_names(self, local, tmp_path, caplog):
        cfg = compose(local("snapshot_minutes: 5\nmodel: {lr: 0.002}\ngate: {turned_away: 0.01}\n"), tmp_path)

        assert (cfg.optimizer.lr, cfg.callbacks.resume_checkpoint.minutes, cfg.ood.reject_share) == (0.002, 5, 0.01)
        assert "lr" not in cfg.model
        assert "snapshot_minutes" not in cfg
        assert "snapshot_minutes is now called callbacks.resume_checkpoint.minutes" in caplog.text

    def test_the_command_line_wins(self, local, tmp_path):
        overrides = [*local("snapshot_minutes: 5\n"), "callbacks.resume_checkpoint.minutes=1"]

        assert compose(overrides, tmp_path).callbacks.resume_checkpoint.minutes == 1

    def test_a_callback_that_is_left_out_stays_out(self, local, tmp_path):
        overrides = [*local("snapshot_minutes: 5\n"), "~callbacks.resume_checkpoint"]

        assert "resume_checkpoint" not in compose(overrides, tmp_path).callbacks

    def test_an_optimizer_with_a_rate_of_its_own_keeps_it(self, local, tmp_path):
        assert compose([*local("model: {lr: 0.002}\n"), "optimizer=sgd"], tmp_path).optimizer.lr == 0.02


def test_every_entry_is_tested():
    assert {old for _, old, _ in RENAMED} == set(VALUES)
