"""`brain-tumor init` proposes a training that composes, and says why."""

import json

import pandas as pd
import pytest
from factories import CENTRES, save

from brain_tumor import init as verb
from brain_tumor.config import compose as composing
from brain_tumor.config.compose import compose
from brain_tumor.errors import ConfigError, DataError
from brain_tumor.pipelines import proposal
from brain_tumor.pipelines.proposal import audit_choices, data_choices


@pytest.fixture
def local(tmp_path, monkeypatch):
    """An installed package's folder of settings: that of the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verb, "CONF_DIR", tmp_path / "installed" / "conf")
    monkeypatch.setattr(verb, "__file__", str(tmp_path / "installed" / "init.py"))
    monkeypatch.setattr(proposal, "seconds_per_image", lambda *_: 0.01)
    return tmp_path / "conf" / "local"


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "My scans"
    for label in CENTRES:
        for number in range(12):
            save(folder / label / f"{number}.png", label, number)
    return folder


def composed(local, name):
    """Compose the training that was proposed."""
    import hydra

    with hydra.initialize_config_dir(str(composing.CONF_DIR), version_base="1.3"):
        return hydra.compose("train", [f"local={name}", f"hydra.searchpath=[file://{local.parent}]"])


def test_the_proposed_configuration_composes(local, scans, monkeypatch, capsys):
    monkeypatch.setattr("brain_tumor.models.hub.why_unreachable", lambda *_: "offline")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    verb.main([str(scans)])

    file, out = local / "my-scans.yaml", capsys.readouterr().out
    cfg = composed(local, "my-scans")
    assert cfg.data.root == str(scans)
    assert "small_cnn" in cfg.model._target_
    assert "_target_" not in cfg.localizer
    assert "no image has a mask" in file.read_text()
    assert f"Written to {file}" in out
    assert "brain-tumor train --config-dir conf local=my-scans hydra.run.dir=runs/my-scans" in out
    assert json.loads((local.parents[1] / "runs/my-scans-audit/audit.json").read_text())["counts"]["readable"] == 48


def test_weights_in_a_folder_lead_to_transfer_learning(local, scans, tmp_path):
    with pytest.raises(ConfigError, match=r"holds no mobilenetv2_100\.safetensors"):
        verb.init(scans, weights=tmp_path)

    (tmp_path / "mobilenetv2_100.safetensors").touch()
    found = verb.init(scans, "b", tmp_path)
    cfg = composed(local, "b")
    assert (cfg.model.name, cfg.model.weights) == ("mobilenetv2_100", str(tmp_path))
    assert "model=mobilenetv2,resnet18" in found.commands[1]


def test_a_configuration_is_not_replaced_unasked(local, scans):
    local.mkdir(parents=True)
    (local / "a.yaml").write_text("seed: 1\n")
    with pytest.raises(ConfigError, match="is there already"):
        verb.init(scans, "a")
    assert (local / "a.yaml").read_text() == "seed: 1\n"

    with pytest.raises(ConfigError, match="expected lower-case letters"):
        verb.init(scans, "../a")


def test_without_a_folder_it_asks_or_says_what_to_type(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(SystemExit) as stop:
        verb.main([])

    assert stop.value.code == 2
    assert "brain-tumor init DIR" in capsys.readouterr().err


def test_a_folder_that_does_not_exist(capsys):
    with pytest.raises(SystemExit) as stop:
        verb.main(["/no/such/folder"])

    assert stop.value.code == 2
    assert "/no/such/folder does not exist; give a folder of images, or a CSV file" in capsys.readouterr().err
    with pytest.raises(DataError):
        data_choices(verb.Path("/no/such/folder"))


DOCUMENT = {
    "counts": {"groups": 400, "distinct_images": 1000, "readable": 1000},
    "split": {"leakage": []},
    "label_conflicts": {"images": 0},
    "unreadable": [],
}
LEAK = {"class": "", "split": "test", "reference": "train or val", "group": 30, "images": 100}
NO_MASKS = pd.DataFrame({"label": ["glioma", "no_tumor"], "mask_path": ["", ""]})
MASKS = pd.DataFrame({"label": ["glioma", "no_tumor"], "mask_path": ["m.png", ""]})


@pytest.mark.parametrize(
    ("changes", "samples", "published", "expected"),
    [
        ({}, NO_MASKS, True, {"split": "official", "localizer": "none"}),
        ({"split": {"leakage": [LEAK]}}, MASKS, True, {"split": "grouped", "localizer": "map"}),
        ({}, NO_MASKS, False, {"split": "grouped", "localizer": "none"}),
        (
            {"counts": {"groups": 40, "distinct_images": 500, "readable": 1000}, "unreadable": ["x.png"]},
            NO_MASKS,
            False,
            {"split": "kfold", "data.on_error": "skip", "data.copies": "one", "localizer": "none"},
        ),
        (
            {"label_conflicts": {"images": 3}},
            NO_MASKS,
            False,
            {"split": "grouped", "data.label_conflicts": "leave_out", "localizer": "none"},
        ),
    ],
)
def test_what_an_audit_leads_to(changes, samples, published, expected):
    choices = audit_choices(DOCUMENT | changes, samples, published)

    assert {choice.key: choice.value for choice in choices} == expected
    assert all(choice.reason for choice in choices)
    compose([f"{key}={value}" for key, value in expected.items()])


def test_a_manifest_is_taken_as_one(tmp_path):
    (tmp_path / "m.csv").write_text("path,label\n")

    assert [choice.value for choice in data_choices(tmp_path / "m.csv")] == ["manifest", str(tmp_path / "m.csv")]
