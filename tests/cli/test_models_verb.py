"""`brain-tumor models` lists networks, their size, and where their weights are."""

import pytest
import timm
from factories import run_verb

from brain_tumor.cli import models as verb
from brain_tumor.config.conf_dir import CONF_DIR


@pytest.mark.slow
def test_every_network_with_an_option_is_listed(capsys):
    code, out, _ = run_verb(verb, capsys)

    assert code == 0
    for option in {path.stem for path in (CONF_DIR / "model").iterdir()} - {"custom", "hub", "timm"}:
        assert f"model={option} " in out


def test_parameters_are_those_of_the_built_network():
    (facts,) = verb.facts_of(["model=timm model.name=mobilenetv2_050"])
    built = timm.create_model("mobilenetv2_050", num_classes=4)

    assert facts.parameters == sum(parameter.numel() for parameter in built.parameters())
    assert facts.pretrained_size == 224


def test_weights_in_a_folder_and_in_the_hubs_cache(tmp_path, monkeypatch):
    option = "model=timm model.name=mobilenetv2_050"
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    assert [facts.weights for facts in verb.facts_of([option], tmp_path)] == ["download"]

    (tmp_path / "mobilenetv2_050.safetensors").touch()
    assert [facts.weights for facts in verb.facts_of([option], tmp_path)] == [f"in {tmp_path}"]

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda _, file: f"/cache/{file}")
    assert [facts.weights for facts in verb.facts_of([option])] == ["on this machine"]


def test_networks_without_weights_train_from_scratch():
    found = [facts.weights for facts in verb.facts_of(["model=small_cnn", "model=timm model.name=mobilenetv2_035"])]

    assert found == ["from scratch", "from scratch"]


@pytest.mark.parametrize("pattern", ["mobilenetv2_0", "mobilenetv2_0*", "MobileNetV2_0"])
def test_a_pattern_selects_names(capsys, pattern):
    _, out, _ = run_verb(verb, capsys, pattern)

    names = [name for name in timm.list_models() if name.startswith("mobilenetv2_0")]
    assert [line.split("model.name=")[1].split()[0] for line in out.splitlines() if "model.name=" in line] == names


def test_a_wide_pattern_says_how_many_more_match(capsys, monkeypatch):
    monkeypatch.setattr(verb, "_MOST", 2)
    _, out, _ = run_verb(verb, capsys, "mobilenetv2")

    assert out.count("model=timm") == 2
    assert f"{len(timm.list_models('*mobilenetv2*')) - 2} more match" in out


def test_a_name_that_does_not_exist(capsys):
    code, out, error = run_verb(verb, capsys, "nosuchnet")

    assert (code, out) == (2, "")
    assert "No network of timm has a name like 'nosuchnet'" in error
