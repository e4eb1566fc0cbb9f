"""``--help`` of a verb explains every key, within 80 columns."""

import importlib.util
import sys

import hydra
import pytest

from brain_tumor.__main__ import main
from brain_tumor.cli.help import tables, texts_of_keys
from brain_tumor.config.conf_dir import CONF_DIR
from brain_tumor.config.schema import SCHEMAS

GROUPS = sorted(path.name for path in CONF_DIR.iterdir() if path.is_dir() and path.name not in ("hydra", "local"))


@pytest.fixture
def shown(monkeypatch, capsys):
    """What a verb prints with --help."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["brain-tumor", *arguments, "--help"])
        main()
        return capsys.readouterr().out

    return run


def is_installed(package):
    return importlib.util.find_spec("hydra_plugins") is not None and importlib.util.find_spec(package) is not None


def unexplained(verb, *overrides):
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        cfg = hydra.compose(verb, list(overrides), return_hydra_config=True)
        found = tables(cfg, texts_of_keys(cfg, verb))
    return [entry.key for table in found for entry in table.entries if not entry.text]


@pytest.mark.parametrize("verb", SCHEMAS)
def test_every_key_is_explained(verb):
    assert unexplained(verb) == []


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.slow
def test_every_key_of_every_option_is_explained(group):
    for path in sorted((CONF_DIR / group).glob("*.yaml")):
        if path.stem == "ray" and not is_installed("hydra_plugins.hydra_ray_launcher"):  # no extra of ours brings it
            continue
        option = f"[{path.stem}]" if group in ("callbacks", "logger") else path.stem
        assert unexplained("train", f"{group}={option}") == [], path


@pytest.mark.parametrize("verb", SCHEMAS)
def test_it_fits_into_80_columns(verb, shown):
    assert max(map(len, shown(verb).splitlines())) <= 80


def test_a_key_stands_with_its_default_help_and_range(shown):
    text = " ".join(shown("train").split())

    assert "monitor.metric=val/f1_macro validation metric that selects the best epoch (val/f1_macro, val/acc" in text
    assert "model=small_cnn (brain_tumor.models.small_cnn.SmallCNN): Small residual CNN" in text
    assert "model.depth=1 residual blocks per stage. model.depth=2" in text
    assert "callbacks.resume_checkpoint.minutes=10 " in text
    assert "split.seed=0" in text
    assert "logger: tensorboard, wandb" in text


def test_it_follows_the_command_line(shown):
    text = shown("train", "model=resnet18", "optimizer.lr=0.5", "callbacks=[ema]")

    assert "model=resnet18 (brain_tumor.models.timm_backbone.timm_backbone): ResNet-18" in text
    assert "optimizer.lr=0.5" in text
    assert "callbacks.ema.decay=0.99" in text
    assert "callbacks.progress" not in text


def test_options_and_keys_of_a_users_own_files(shown, tmp_path):
    (tmp_path / "my conf" / "loss").mkdir(parents=True)
    (tmp_path / "my conf" / "loss" / "mine.yaml").write_text(
        "# Our loss.\n_target_: torch.nn.CrossEntropyLoss\nlabel_smoothing: 0.1 # how smooth\n"
    )
    text = shown("train", "--config-dir", str(tmp_path / "my conf"), "loss=mine")

    assert "loss: cross_entropy, custom, focal, mine" in text
    assert "loss=mine (torch.nn.CrossEntropyLoss): Our loss." in text
    assert "how smooth" in text


def test_a_mistake_beside_it(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["brain-tumor", "train", "--help", "model=nothing"])
    with pytest.raises(SystemExit) as stop:
        main()

    assert stop.value.code == 2
    assert "there are: convnext_tiny" in capsys.readouterr().err
